"""Alipay+ is played against the wallet over HTTP, and every answer must be as it should."""
