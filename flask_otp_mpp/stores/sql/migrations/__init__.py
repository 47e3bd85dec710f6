"""How the store's tables became what they are, one step after the other."""
