"""The table of all mistakes that are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask_otp_mpp.conformance.explain.base import Mistake, StringMistake
from flask_otp_mpp.conformance.explain.bodies import BODIES
from flask_otp_mpp.conformance.explain.clients_times import CLIENTS_AND_TIMES
from flask_otp_mpp.conformance.explain.key_forms import FORM_MISTAKES
from flask_otp_mpp.conformance.explain.layouts import LAYOUTS, WHOLES
from flask_otp_mpp.conformance.explain.recover import SIGNING_MISTAKES
from flask_otp_mpp.conformance.explain.signatures import HEADER_MISTAKES, OTHER_HEADER_MISTAKES
from flask_otp_mpp.conformance.explain.uris import URIS

KEY_VERSION: Final = Mistake(
    "key-version",
    "the signature was made by the key of another version",
    "another keyVersion than the header names",
    "Name the version of the key that signs, and see that the other side has this version.",
)
KEY_OTHER_SIDE: Final = Mistake(
    "key-other-side",
    "the signature was made by the key of the other side",
    "the receiver's key for the sender's",
    "A request is verified by the key of its caller, an answer by that of the wallet.",
)
KEY_OTHER_CLIENT: Final = Mistake(
    "key-other-client",
    "the signature was made by the key of another client",
    "the key of another Client-Id than the header names",
    "Send the client id that the key is registered for; sandbox and production differ in both.",
)
KEY_MISTAKES: Final = (KEY_VERSION, KEY_OTHER_SIDE, KEY_OTHER_CLIENT)
STRING_MISTAKES: Final[Sequence[StringMistake]] = (
    *(*URIS, *CLIENTS_AND_TIMES),
    *(*BODIES, *LAYOUTS, *WHOLES),
)
MISTAKES: Final[Sequence[Mistake]] = (
    *(*STRING_MISTAKES, *HEADER_MISTAKES, *OTHER_HEADER_MISTAKES),
    *(*SIGNING_MISTAKES, *KEY_MISTAKES, *FORM_MISTAKES),
)
HEAD: Final = ("mistake", "what is wrong", "what was signed, sent or given", "remedy")


def mistake_rows() -> list[tuple[str, ...]]:
    """List every mistake that is looked for."""
    return [(one.id, one.title, one.signed, one.remedy) for one in MISTAKES]
