"""What a protocol promises, with no web framework."""
