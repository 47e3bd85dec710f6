"""The Redis store: every method is one Lua script."""
