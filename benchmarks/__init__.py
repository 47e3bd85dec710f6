"""What the package claims of its speed is measured here; docs/benchmarks.md holds the figures."""
