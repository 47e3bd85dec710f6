"""Alipay+ and a merchant are played against the wallet, and every answer must be as it should."""
