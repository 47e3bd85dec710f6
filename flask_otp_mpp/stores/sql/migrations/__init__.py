"""The migrations of the store's tables, for Alembic."""
