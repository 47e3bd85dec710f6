"""What the user of the console chooses: protocol, client, user, credential and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from werkzeug.datastructures import MultiDict

from example_app import instance
from example_app.records import Grant, User, records
from example_app.trial.console.faults import ALIPAYPLUS, AMS, GOOGLE
from flask_otp_mpp import state_of

Options = Sequence[tuple[str, str]]
"""Values with their labels, in the order of the page."""

PROTOCOLS: Final[Options] = ((ALIPAYPLUS, "Alipay+"), (AMS, "AMS"), (GOOGLE, "Google"))
OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    ALIPAYPLUS: ("sendOTP", "verifyOTP"),
    AMS: ("initAuthentication", "verifyAuthentication"),
    GOOGLE: ("sendOtp", "verifyOtp"),
}
"""What the two calls of each protocol are called."""
CHANNELS: Final[Mapping[str, Options]] = {
    ALIPAYPLUS: (("MOBILE", "SMS"), ("EMAIL", "E-mail")),
    AMS: (("SMS", "SMS"), ("EMAIL", "E-mail")),
    GOOGLE: (("SMS", "SMS"),),
}
_TOKENS: Final[Options] = (
    ("valid", "A valid token"),
    ("expired", "An expired token"),
    ("no-scope", "A token without the scope"),
    ("revoked", "A token whose grant is revoked"),
    ("foreign", "Another client's token"),
    ("garbage", "No token: a random text"),
)
CREDENTIALS: Final[Mapping[str, Options]] = {
    ALIPAYPLUS: _TOKENS,
    AMS: _TOKENS,
    GOOGLE: (
        ("phone", "The user's phone number"),
        ("association", "A valid association"),
        ("revoked", "A revoked association"),
        ("garbage", "An association that does not exist"),
        ("no-number", "A number that can't exist"),
    ),
}
CLIENTS: Final[Mapping[str, str]] = {
    instance.CLIENT_ID: "Alipay+, in its sandbox",
    instance.MERCHANT_ID: "A merchant",
    instance.OTHER_MERCHANT_ID: "Another merchant",
    instance.GOOGLE_ACCOUNT: "Google, by JOSE",
}
"""The clients that can be played: the instance folder has their private keys."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one trial; each text is one of those that the page offers.

    :param client: empty if the wallet's settings list no client that can be played.
    """

    protocol: str
    client: str
    user: str
    credential: str
    channel: str


def read_choice(form: MultiDict[str, str]) -> Choice:
    """Read a form or a query; what is missing or not offered is the first that is offered."""
    protocol = _offered(form.get("protocol"), PROTOCOLS)
    return Choice(
        protocol,
        _offered(form.get("client"), clients(protocol)),
        _offered(form.get("user"), users()),
        _offered(form.get("credential"), CREDENTIALS[protocol]),
        _offered(form.get("channel"), CHANNELS[protocol]),
    )


def clients(protocol: str) -> Options:
    """Return the clients, or accounts, that the wallet's settings list and this page can play."""
    served = next(one for one in state_of().protocols if one.name == protocol)
    return [(name, CLIENTS[name]) for name in served.client_names if name in CLIENTS]


def users() -> Options:
    """Return the users who have a grant, with what is special about them.

    The guests that the demo makes are left out.
    """
    with records() as session:
        ids = session.scalars(
            sa.select(Grant.user_id)
            .where(Grant.user_id.not_like("guest-%"))
            .distinct()
            .order_by(Grant.user_id)
        ).all()
        return [(one, _label(one, session.get(User, one))) for one in ids]


def label_of(value: str, options: Options) -> str:
    """Return the label of a value."""
    return dict(options).get(value, value)


def _label(user_id: str, user: User | None) -> str:
    if user is None:
        return f"{user_id.capitalize()} (account closed)"
    facts = [
        fact
        for fact, holds in (
            ("frozen", user.frozen),
            ("no phone", user.phone is None),
            ("no e-mail", user.email is None),
        )
        if holds
    ]
    return f"{user.name} ({', '.join(facts)})" if facts else user.name


def _offered(value: str | None, options: Options) -> str:
    values = [one for one, _ in options]
    return value if value in values else next(iter(values), "")
