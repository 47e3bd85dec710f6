"""Rules and types of one-time codes, with the standard library alone: no Flask, no database."""
