"""A conformance kit: it plays the caller against any wallet's endpoint, and reports what it found.

It calls a wallet over HTTP, in whatever language that is written, and needs no app of this package.
"""
