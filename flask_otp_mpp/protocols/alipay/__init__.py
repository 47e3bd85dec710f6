"""Protocols with signed headers: Alipay+ and AMS."""
