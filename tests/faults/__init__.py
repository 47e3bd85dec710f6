"""Faults are made on purpose, between real processes and real servers; none grants anything."""
