"""Alipay+ and AMS: their cases, and the side that signs requests."""
