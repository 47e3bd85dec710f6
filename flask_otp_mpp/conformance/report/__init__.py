"""Reports of a run: one view of it without secrets, and what writes that view."""
