"""The steps; each is kept as it was released."""
