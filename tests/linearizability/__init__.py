"""Tests that concurrent calls of a store have the results of some sequence of calls."""
