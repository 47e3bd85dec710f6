"""A wallet behind real servers and a real proxy."""
