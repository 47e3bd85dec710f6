-- KEYS: claim.
return read_holder(KEYS[1])
