"""Accounts that share keys: no account accepts the messages of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flask_otp_mpp import ConfigurationError
from flask_otp_mpp.callers import Call, GoogleCaller, Response, over_wsgi
from tests.protocols.google import sides
from tests.protocols.google.keyring import Keyring
from tests.vectors.google import armored, jwk
from tests.web.google_wallet import ADA, GoogleWallet, open_google

# Our decryption keys by which the accounts are told apart.
FIRST = [jwk("integrator-enc-1.private"), jwk("integrator-sig-1.private")]
SECOND = [jwk("integrator-enc-2.private"), jwk("integrator-sig-1.private")]
OTHER_SIGNER = [jwk("google-sig-2.public"), jwk("google-enc-1.public")]


def replayed(
    wallet: GoogleWallet, google: Mapping[str, Any], second: str = "/google/second/sendOtp"
) -> tuple[int, bytes]:
    """Send by the first account, then deliver the same bytes to the second; return its answer."""
    sent: list[Call] = []
    deliver = over_wsgi(wallet.app)

    def record(call: Call) -> Response:
        sent.append(call)
        return deliver(call)

    caller = GoogleCaller.from_account(record, google, clock=wallet.clock)
    try:
        assert caller.send(ADA).result == "SUCCESS"
    finally:
        caller.close()
    response = wallet.app.test_client().post(second, data=sent[0].body)
    return response.status_code, response.data


PGP_FIRST, PGP_SECOND = ([armored(f"integrator-test-{number}.sec")] for number in (1, 2))
PGP_GOOGLE = sides.pgp_google(their_keys=[armored("integrator-test-1.pub")])


@pytest.mark.parametrize(
    ("google", "first", "second", "status"),
    [
        (
            sides.jose_google(),
            sides.jose_wallet(our_keys=FIRST),
            sides.jose_wallet(our_keys=SECOND),
            400,
        ),
        (
            sides.jose_google(),
            sides.jose_wallet(their_keys=[jwk("google-sig-1.public"), jwk("google-enc-1.public")]),
            sides.jose_wallet(our_keys=FIRST, their_keys=OTHER_SIGNER),
            401,
        ),
        (
            PGP_GOOGLE,
            sides.pgp_wallet(our_keys=PGP_FIRST),
            sides.pgp_wallet(our_keys=PGP_SECOND),
            400,
        ),
        (
            PGP_GOOGLE,
            sides.pgp_wallet(their_keys=[armored("google-test-1.pub")]),
            sides.pgp_wallet(our_keys=PGP_FIRST, their_keys=[armored("google-test-2.pub")]),
            401,
        ),
    ],
    ids=["JOSE, Google's keys", "JOSE, a key of ours", "PGP, Google's keys", "PGP, a key of ours"],
)
def test_a_message_is_not_accepted_by_an_account_that_shares_one_key(
    google: Mapping[str, Any], first: dict[str, Any], second: dict[str, Any], status: int
) -> None:
    """C5: the second account answers as to a stranger, and sends nothing."""
    wallet = open_google(accounts={"first": first, "second": {**second, "paths": "/second"}})
    assert replayed(wallet, google) == (status, b"")
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (sides.jose_wallet(), sides.jose_wallet()),
        (sides.jose_wallet(our_keys=FIRST), sides.jose_wallet()),
        (sides.jose_wallet(their_keys=OTHER_SIGNER), sides.jose_wallet()),
        (
            sides.jose_wallet(signed=False),
            sides.jose_wallet(our_keys=FIRST, their_keys=OTHER_SIGNER),
        ),
    ],
    ids=["all keys", "one of ours", "one of Google's", "a body that nobody signs"],
)
def test_accounts_that_could_open_one_message_are_refused_at_start_up(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """C5, F2: with what to give each of them."""
    with pytest.raises(ConfigurationError) as caught:
        open_google(accounts={"first": first, "second": {**second, "paths": "/second"}})
    ((setting, finding),) = caught.value.faults
    assert setting == "OTP_MPP_GOOGLE_ACCOUNTS"
    assert finding.startswith("account 'second' opens the messages of account 'first'")
    assert "keys of its own to decrypt by" in finding


@pytest.mark.slow
def test_pgp_accounts_that_could_open_one_message_are_refused_at_start_up() -> None:
    """C5: all keys are in common, or those of Google's only."""
    with pytest.raises(ConfigurationError, match="opens the messages of account 'first'"):
        open_google(
            accounts={
                "first": sides.pgp_wallet(),
                "second": sides.pgp_wallet(paths="/second"),
            }
        )
    with Keyring() as ring:
        ring.generate("ours")
        own = ring.private("ours")
        open_google(
            accounts={
                "first": sides.pgp_wallet(),
                "second": sides.pgp_wallet(our_keys=[own], paths="/second"),
            }
        )


@pytest.mark.slow
def test_a_pgp_key_is_the_same_under_another_id() -> None:
    """C5: the id in a message is not signed, so its bearer can write the other account's."""
    with Keyring() as ring:
        ring.generate("one")
        other = ring.generate("two")
        ring.adopt(other, "one")
        keys = {name: ring.private(name) for name in ("one", "two")}
    accounts = {
        name: sides.pgp_wallet(our_keys=[armored], paths=f"/{name}")
        for name, armored in keys.items()
    }
    with pytest.raises(ConfigurationError, match="'two' opens the messages of account 'one'"):
        open_google(accounts=accounts)


def test_accounts_of_different_envelopes_may_share_whatever_they_want() -> None:
    """C5: no message of one envelope is a message of another."""
    wallet = open_google(
        accounts={
            "jose": sides.jose_wallet(),
            "pgp": sides.pgp_wallet(paths="/pgp"),
            "plain": {"envelope": "plain", "paths": "/plain"},
            "plain-too": {"envelope": "plain", "paths": "/too"},
        }
    )
    posted = wallet.app.test_client().post
    status, body = replayed(wallet, sides.jose_google(), "/google/pgp/sendOtp")
    assert (status, body) == (400, b"")
    assert posted("/google/plain/sendOtp", data=b"{}").status_code == 400
    assert posted("/google/too/sendOtp", data=b"{}").status_code == 400
