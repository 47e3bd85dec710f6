"""The one room that knows Flask."""
