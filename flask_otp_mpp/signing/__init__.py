"""Who says something, and that nobody changed it: keys, signatures, signed access tokens."""
