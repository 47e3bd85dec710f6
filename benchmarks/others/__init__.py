"""Other libraries that send and verify codes, each in a small app of its own framework."""
