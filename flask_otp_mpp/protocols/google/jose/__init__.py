"""JOSE for Google Standard Payments: the sealer and its keys, by joserfc."""
