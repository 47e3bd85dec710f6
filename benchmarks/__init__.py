"""Benchmarks of the package; docs/benchmarks.md and the page below it hold the figures."""
