-- KEYS: a name, or a user's request.
return get(KEYS[1])
