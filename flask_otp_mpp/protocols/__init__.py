"""A protocol reads bytes into commands and writes outcomes into bytes; it never sees Flask."""
