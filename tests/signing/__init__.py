"""What signatures, keys and tokens promise."""
