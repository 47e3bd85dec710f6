"""Explain why a signature of Alipay+ or AMS does not verify.

The names in ``__all__`` are for other parts of the package: read a capture, and explain it.
"""

from flask_otp_mpp.conformance.explain.base import Known, Mistake
from flask_otp_mpp.conformance.explain.capture import Parts, read_capture, with_parts
from flask_otp_mpp.conformance.explain.captured import Captured, Direction, Sent, Unreadable
from flask_otp_mpp.conformance.explain.explain import Explanation, explain
from flask_otp_mpp.conformance.explain.key_forms import GivenKey, read_key
from flask_otp_mpp.conformance.explain.report import as_dict, as_text

__all__ = [
    "Captured",
    "Direction",
    "Explanation",
    "GivenKey",
    "Known",
    "Mistake",
    "Parts",
    "Sent",
    "Unreadable",
    "as_dict",
    "as_text",
    "explain",
    "read_capture",
    "read_key",
    "with_parts",
]
