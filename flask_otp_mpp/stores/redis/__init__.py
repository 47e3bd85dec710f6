"""The Redis store, whose verbs are Lua scripts."""
