"""Fixtures for pytest: an inbox, a clock, and a caller for the wallet of a host.

In a ``conftest.py``::

    pytest_plugins = ["flask_otp_mpp.testing.plugin"]

    @pytest.fixture
    def app(otp_inbox, otp_clock, otp_settings):
        return create_app(otp_settings)

The apps that a test makes, after it asked for ``otp_inbox`` or ``otp_clock``, send to that inbox
and read that clock. The app of ``otp_caller`` is the host's fixture ``app``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.signed import SigningOptions
from flask_otp_mpp.callers.transport import Transport, over_wsgi
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing.doubles import FrozenClock, Inbox
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.known_callers import KnownCaller, known_caller, protocol_of, rewrites
from flask_otp_mpp.web.overrides import override


@pytest.fixture
def otp_inbox() -> Iterator[Inbox]:
    """Receive the messages of the apps that are made during the test."""
    inbox = Inbox()
    with override(inbox=inbox):
        yield inbox


@pytest.fixture
def otp_clock() -> Iterator[FrozenClock]:
    """Set the time of the apps that are made during the test."""
    clock = FrozenClock()
    with override(clock=clock):
        yield clock


@pytest.fixture(scope="session")
def otp_caller_key() -> rsa.RSAPrivateKey:
    """Return the private key of the caller; a host whose settings list another one overrides it."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def otp_settings(otp_caller_key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Return settings with which a wallet of Alipay+ starts, for ``app.config``.

    Its only client has the key of ``otp_caller_key``. For AMS or Google add theirs.
    """
    return {
        "OTP_MPP_WALLET_NAME": "Test Wallet",
        "OTP_MPP_PEPPER": "for tests only, and of 32 bytes or more",
        "OTP_MPP_STORE": "memory://",
        "OTP_MPP_PRIVATE_KEYS": {"1": private_pem(rsa.generate_private_key(65537, 2048)).decode()},
        "OTP_MPP_ALIPAYPLUS_PSP_ID": "TEST_PSP",
        "OTP_MPP_ALIPAYPLUS_CLIENTS": {
            "SANDBOX_TEST": {"1": one_line(otp_caller_key.public_key())}
        },
    }


@pytest.fixture
def otp_caller(app: Flask, otp_caller_key: rsa.RSAPrivateKey) -> AlipayPlusCaller:
    """Play Alipay+ against the fixture ``app``; the rest is read from its configuration."""
    protocol = protocol_of(state_of(app), AlipayPlus)
    known = known_caller(protocol, otp_caller_key)
    scope = protocol.scope_of(known.client_id)
    return AlipayPlusCaller(
        _transport(app, protocol),
        psp_id=min(scope.psp_ids),
        acquirer_id=min(scope.acquirers or {"TEST_ACQUIRER"}),
        prefix=known.prefix,
        **_signing(app, known, otp_caller_key),
    )


@pytest.fixture
def otp_merchant(app: Flask, otp_caller_key: rsa.RSAPrivateKey) -> AmsCaller:
    """Play a merchant of AMS against the fixture ``app``, as ``otp_caller`` plays Alipay+."""
    protocol = protocol_of(state_of(app), Ams)
    known = known_caller(protocol, otp_caller_key)
    signing = _signing(app, known, otp_caller_key)
    return AmsCaller(_transport(app, protocol), prefix=known.prefix, **signing)


def _transport(app: Flask, protocol: AlipayPlus | Ams) -> Transport:
    return over_wsgi(app, rewrites(protocol))


def _signing(app: Flask, known: KnownCaller, key: rsa.RSAPrivateKey) -> SigningOptions:
    """Return what a caller signs with; each request is a millisecond later than the one before.

    Two requests of one moment and the same content are byte-identical: the second is a repeat.
    """
    state, requests = state_of(app), count()

    def moment() -> datetime:
        return state.clock() + timedelta(milliseconds=next(requests))

    return {
        "client_id": known.client_id,
        "key": key,
        "key_version": known.key_version,
        "server_keys": state.public_keys,
        "paths": known.paths,
        "clock": moment,
    }
