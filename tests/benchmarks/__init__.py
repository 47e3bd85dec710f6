"""What measures the package is itself tested: an error must not look fast."""
