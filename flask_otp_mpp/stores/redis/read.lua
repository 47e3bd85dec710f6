-- KEYS: a user's request.
return read_answer(KEYS[1])
