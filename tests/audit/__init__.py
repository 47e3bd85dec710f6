"""The audit trail: what is recorded, and which changes to it are found."""
