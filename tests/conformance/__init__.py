"""Conformance of an MPP endpoint, and a server of other make to try the cases on."""
