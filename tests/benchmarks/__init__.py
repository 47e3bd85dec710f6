"""Tests of the benchmarks: an answer that is wrong must not count as fast."""
