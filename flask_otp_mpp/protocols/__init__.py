"""The wire protocols: bytes to commands, outcomes to bytes, without Flask."""
