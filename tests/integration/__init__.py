"""A whole wallet as a team would build it, with the extensions that Flask apps have."""
