"""The life of a one-time code, in the standard library alone: no Flask, no database, no wire."""
