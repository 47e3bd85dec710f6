"""Cases of all answers of a run: what they must not hold, their speed, and all their codes."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.signed.answers import answers, see_all
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_SECRETS: Final = Source("OWASP ASVS 5.0", "14.2.3")
_SHORTEST_TOKEN: Final = 8
"""A shorter token, or one of letters only, may be a word of a message."""
_ADDRESS: Final = re.compile(r"\+\d{8,15}\b|[\w.+-]+@[\w-]+\.[\w.-]+", re.ASCII)
_INNER_WORKINGS: Final = (
    "Traceback (most",
    'File "',
    "Exception:",
    "Error:",
    "Exception in thread",
    "at java.",
    "at Object.",
    "node_modules",
    "site-packages",
    "sqlalchemy",
    "SQLSTATE",
    "syntax error",
    "<!doctype",
    "<html",
)
"""What stack traces, drivers of databases and error pages hold."""

CASES: Final = SignedCases(Group.ANSWERS, SIGNED, _SECRETS)


def _text(one: Exchange) -> str:
    """Return the body and the headers of an answer, but for the signature, which is random."""
    headers = [value for name, value in one.response.headers if name.lower() != "signature"]
    return "\n".join([one.response.body.decode("utf-8", "replace"), *headers])


@CASES.add(
    "answers.no-code",
    "No answer holds a code that was sent",
    "A code is known to its user only.",
    Need.CODES,
    last=True,
)
def no_code(play: SignedPlay) -> None:
    """Look for each code that was learned, as a word of its own."""
    codes = [secret for secret, name in play.bench.secrets.items() if name == "<code>"]
    if not codes:
        raise Skipped("no code was learned")
    found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, codes))})(?!\w)")
    see_all(play, lambda _, one: found.search(_text(one)) is None, "answers hold a code")


@CASES.add(
    "answers.no-token",
    "No answer holds a token",
    "A token is known to its client and the endpoint only.",
    last=True,
)
def no_token(play: SignedPlay) -> None:
    """Look for each token of the configuration that can't be a word of a message."""
    tokens = [
        secret
        for secret, name in play.bench.secrets.items()
        if name != "<code>" and len(secret) >= _SHORTEST_TOKEN and not secret.isalpha()
    ]
    if not tokens:
        raise Skipped("the tokens are too short to be told from words")
    all_texts = "\n".join(map(_text, answers(play)))
    found = [token for token in tokens if token in all_texts]
    see_all(
        play,
        lambda _, one: not any(token in _text(one) for token in found),
        "answers hold a token",
    )


@CASES.add(
    "answers.no-address",
    "No answer holds a phone number or an e-mail address",
    "The caller does not learn where a code was sent.",
    last=True,
)
def no_address(play: SignedPlay) -> None:
    """Look for what has the form of an address."""
    see_all(
        play,
        lambda _, one: _ADDRESS.search(one.response.body.decode("utf-8", "replace")) is None,
        "answers hold what looks like a phone number or an e-mail address",
    )


@CASES.add(
    "answers.no-inner-workings",
    "No answer holds a stack trace, an error of a database, or an HTML page",
    "What an endpoint is made of is not told to its callers.",
    source=Source("OWASP ASVS 5.0", "16.5.1"),
    last=True,
)
def no_inner_workings(play: SignedPlay) -> None:
    """Look for what such texts hold."""
    see_all(
        play,
        lambda _, one: not any(mark.lower() in _text(one).lower() for mark in _INNER_WORKINGS),
        "answers tell of the endpoint's inner workings",
    )


@CASES.add(
    "answers.no-cookie",
    "No answer sets a cookie",
    "Each request proves itself; there are no sessions.",
    source=Source("OWASP ASVS 5.0", "14.3.2", "A cookie is of no use to these callers."),
    severity=Severity.RECOMMENDED,
    last=True,
)
def no_cookie(play: SignedPlay) -> None:
    """Look for Set-Cookie."""
    see_all(play, lambda _, one: not one.response.header("set-cookie"), "answers set a cookie")


@CASES.add(
    "answers.not-stored",
    "Every answer has Cache-Control: no-store",
    "No cache on the way keeps an answer.",
    source=Source("OWASP ASVS 5.0", "14.3.2", "Caches keep no answers to POST, in most cases."),
    severity=Severity.RECOMMENDED,
    last=True,
)
def not_stored(play: SignedPlay) -> None:
    """Look at Cache-Control."""
    see_all(
        play,
        lambda _, one: "no-store" in one.response.header("cache-control").lower(),
        "answers may be stored by a cache",
    )


def _in_time(play: SignedPlay, share: float) -> None:
    seconds = sorted(one.response.seconds for one in answers(play))
    slowest = seconds[max(0, round(share * len(seconds)) - 1)]
    allowed = play.limits.answer_seconds
    play.check(
        slowest <= allowed,
        f"{share:.0%} of the answers took up to {slowest:.1f} s; {allowed:g} s are allowed",
    )


for _name, _share, _severity in (
    ("in-time", 0.95, Severity.REQUIRED),
    ("slowest-in-time", 1.0, Severity.RECOMMENDED),
):
    CASES.add(
        f"answers.{_name}",
        f"{_share:.0%} of the answers are there in the time that is allowed",
        "A caller does not wait for ever: a late answer is none.",
        source=Source(
            "Alipay+ and AMS API overview", "none", "Five seconds, unless the file says otherwise."
        ),
        severity=_severity,
        last=True,
    )(partial(_in_time, share=_share))


_SEEN: Final[tuple[tuple[Means, tuple[Group, ...], tuple[Need, ...]], ...]] = (
    (Means.SUCCESS, (Group.HAPPY_PATH,), ()),
    (Means.WRONG_CODE, (Group.CODES,), (Need.CODES,)),
    (Means.ATTEMPTS_SPENT, (Group.CODES,), (Need.CODES,)),
    (Means.ID_NOT_USABLE, (Group.LIFE,), ()),
    (Means.TOKEN_INVALID, (Group.USERS,), (Need.UNKNOWN,)),
    (Means.TOKEN_EXPIRED, (Group.USERS,), (Need.EXPIRED,)),
    (Means.USER_MISSING, (Group.USERS,), (Need.MISSING,)),
    (Means.USER_ABNORMAL, (Group.USERS,), (Need.FROZEN,)),
    (Means.SEND_LIMIT, (Group.SENDS,), ()),
    (Means.PARAMETER, (Group.FIELDS,), ()),
    (Means.CLIENT_UNKNOWN, (Group.KEYS, Group.HEADERS), ()),
    (Means.KEY_NOT_FOUND, (Group.KEYS,), ()),
    (Means.BAD_SIGNATURE, (Group.SIGNATURE,), ()),
    (Means.ACCESS_DENIED, (Group.TIME,), ()),
    (Means.METHOD, (Group.TRANSPORT,), ()),
    (Means.MEDIA_TYPE, (Group.TRANSPORT,), ()),
    (Means.NO_API, (Group.TRANSPORT,), ()),
)
"""The codes that a caller can provoke, and the groups whose cases do it."""


def _seen(play: SignedPlay, means: Means, groups: tuple[Group, ...]) -> None:
    missing = [group.value for group in groups if group not in play.bench.groups]
    if missing:
        raise Skipped(f"not all cases of these groups were played: {', '.join(missing)}")
    if means is Means.SEND_LIMIT and play.limits.resend_seconds == 0:
        raise Skipped("the endpoint has no pause between messages")
    codes = play.dialect.codes[means]
    seen = {one.code for one in play.said()}
    play.check(seen & set(codes), f"no answer of the run had {' or '.join(codes)}")


for _means, _groups, _needs in _SEEN:
    _slug = _means.name.lower().replace("_", "-")
    CASES.add(
        f"answers.seen-{_slug}",
        f"The result code of this meaning was answered in the run: {_means}",
        "An endpoint has all result codes of the tables, each for its condition.",
        *_needs,
        source=Source(
            "Alipay+ sendOTP and verifyOTP, AMS",
            "Result/Error codes",
            "The documents name no condition." if _means is Means.ACCESS_DENIED else "",
        ),
        severity=Severity.RECOMMENDED if _means is Means.ACCESS_DENIED else Severity.REQUIRED,
        last=True,
    )(partial(_seen, means=_means, groups=_groups))
