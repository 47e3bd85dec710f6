"""What the core promises, with no wire and no database."""
