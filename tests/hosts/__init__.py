"""Tests of the extension in host apps: answers stay signed, and the host's pages do not change."""
