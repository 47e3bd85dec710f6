"""Who reads the store can't check a guess at a code that was typed wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from flask_otp_mpp import Resend, SQLAlchemyStore, state_of
from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.idempotency import digest_of
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from flask_otp_mpp.stores.sql.schema import metadata
from tests.ams import open_shop
from tests.wallet import PEPPER, Wallet, make_tables, request_fields
from tests.web.google_wallet import open_google

MakeWallet = Callable[..., Wallet]
TYPED = "004217"
GUESSES = [f"{number:06d}" for number in range(10_000)]
KEYS = [b"", PEPPER.encode()]


def dump(store: Any) -> str:
    """Return all that a SQL store holds."""
    assert isinstance(store, SQLAlchemyStore)
    with store.engine.connect() as db:
        rows = [
            tuple(row) for table in metadata.sorted_tables for row in db.execute(table.select())
        ]
        db.rollback()
    return repr(rows)


def found(stored: str, knowable: Callable[[str], Iterable[bytes]], *keys: bytes) -> list[str]:
    """Return the guesses of which a digest is in the dump.

    :param knowable: returns all that is known of a request but the code, with a guess in it.
    """

    def digests(guess: str) -> Iterator[str]:
        for text in knowable(guess):
            yield hashlib.sha256(text).hexdigest()[:52]
            yield hashlib.sha256(text).hexdigest()[12:]
            for key in keys:
                yield hmac.digest(key, text, "sha256").hex()[:52]

    return [guess for guess in GUESSES if any(digest in stored for digest in digests(guess))]


def test_a_wrong_code_of_alipay_can_not_be_guessed(make_wallet: MakeWallet) -> None:
    """P2: with the store, the pepper, and the rest of the request, its time and its token too."""
    wallet = make_wallet(store="sqlite")
    request_id, _ = wallet.sent()
    fields = request_fields(verifyRequestId=request_id, otpCode=TYPED)
    call, signed = wallet.caller.prepare("/verifyOTP", fields)
    assert wallet.caller.deliver(call).code == "OTP_VERIFY_UNMATCHED"
    stored = dump(wallet.state.store)

    def knowable(guess: str) -> Iterator[bytes]:
        yield signed.replace(TYPED, guess).encode()
        yield call.body.replace(TYPED.encode(), guess.encode())

    assert found(stored, knowable, *KEYS) == []
    # The search finds what is there: the key is made of the signature.
    signature = SignatureHeader.parse(call.headers["signature"]).signature
    assert found(stored, lambda guess: [signature] * (guess == TYPED)) == [TYPED]


def test_a_wrong_code_of_a_merchant_can_not_be_guessed(make_wallet: MakeWallet) -> None:
    """P2: the same for AMS, whose verifyAuthentication holds no token, only ids that are known."""
    shop = open_shop(make_wallet, store="sqlite")
    request_id, _ = shop.sent()
    answer = shop.caller.verify(request_id, TYPED)
    assert answer.code == "VERIFY_UNMATCHED"
    stored = dump(shop.wallet.state.store)

    def knowable(guess: str) -> Iterator[bytes]:
        yield answer.string_to_sign.replace(TYPED, guess).encode()
        yield answer.call.body.replace(TYPED.encode(), guess.encode())

    assert found(stored, knowable, *KEYS) == []
    signature = SignatureHeader.parse(answer.call.headers["signature"]).signature
    assert found(stored, lambda guess: [signature] * (guess == TYPED)) == [TYPED]


def test_a_wrong_code_of_google_can_not_be_guessed(tmp_path: Path) -> None:
    """P2: the parameters of a request with an id are stored as a MAC under the pepper."""
    url = f"sqlite:///{tmp_path}/otp.db"
    make_tables(url)
    wallet = open_google(store=url)
    sent, _ = wallet.sent()
    answer = wallet.google.verify(sent, TYPED, request_id="guess")
    assert answer.result == "OTP_NOT_MATCHED"
    stored = dump(state_of(wallet.app).store)
    wallet.close()
    members = json.loads(answer.asked)
    del members["requestHeader"]["requestTimestamp"]
    parameters = json.dumps(members, sort_keys=True)

    def knowable(guess: str) -> Iterator[bytes]:
        yield answer.asked.replace(TYPED.encode(), guess.encode())
        yield parameters.replace(TYPED, guess).encode()
        yield digest_of(parameters.replace(TYPED, guess)).encode()

    assert found(stored, knowable, b"") == []
    # With the pepper it is found, so what is searched for is what is stored.
    codes = Codes([Secret(PEPPER.encode())], 6, Resend.ROTATE)
    assert codes.request_macs(digest_of(parameters))[0] in stored
