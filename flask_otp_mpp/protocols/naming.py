"""Several texts are named by one, which no other texts have."""

from __future__ import annotations

import hashlib
import json


def name_for(*parts: str) -> str:
    """Return 64 characters that stand for these texts in this order, however they run together."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
