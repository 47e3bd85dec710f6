-- KEYS: a name, or a user's request.
return look(KEYS[1])
