"""Tests of signatures, keys and access tokens."""
