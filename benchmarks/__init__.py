"""Benchmarks of the package; docs/benchmarks.md holds the figures."""
