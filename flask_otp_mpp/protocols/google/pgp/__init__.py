"""OpenPGP for Google Standard Payments, by the program ``gpg``."""
