"""Alipay+, a merchant and Google are played against the wallet; every answer must be right."""
