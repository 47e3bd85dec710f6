"""The audit trail: an append-only table of decisions and operator's acts, in chains of hashes."""
