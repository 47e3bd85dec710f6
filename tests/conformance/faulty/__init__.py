"""A wallet that does one thing wrong, and the faults that it can have."""
