"""JOSE for Google Standard Payments: the sealer, its keys, and new keys."""
