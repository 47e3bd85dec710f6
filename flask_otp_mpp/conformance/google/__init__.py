"""Google Standard Payments, by JOSE and by PGP: the cases, and the side that seals requests."""
