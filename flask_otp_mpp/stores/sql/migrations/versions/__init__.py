"""The migrations; each stays as it was released."""
