"""The callers of the console: each plays one protocol's other side with the keys of the instance.

A player makes the calls of one run. With a fault it makes them wrong, in that one way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from example_app import instance
from example_app.trial.console import jose, signed
from example_app.trial.console.credentials import make_token
from example_app.trial.console.exchange import Message, Proof
from example_app.trial.console.faults import ALIPAYPLUS, AMS, Fault
from example_app.trial.console.runs import Run
from flask_otp_mpp.callers import (
    AlipayPlusAnswer,
    AlipayPlusCaller,
    AmsAnswer,
    AmsCaller,
    GoogleAnswer,
    GoogleCaller,
    SignedAnswer,
    SigningOptions,
    Transport,
)
from flask_otp_mpp.signing import load_private_key, load_public_key

STRANGER: Final = "SANDBOX_5Y00000000000STRANGER"
"""A client that no settings list."""
KEYS: Final = {
    instance.CLIENT_ID: "alipayplus.pem",
    instance.MERCHANT_ID: "merchant.pem",
    instance.OTHER_MERCHANT_ID: "other-merchant.pem",
    instance.GOOGLE_ACCOUNT: "google.jwks",
}
"""The file of the instance folder with the private keys of a client."""
NUMBERS: Final = frozenset({"phone", "no-number"})
"""The credentials of Google that are phone numbers; the others are associations."""


class Answer(Protocol):
    """What the answers of all callers have."""

    @property
    def code(self) -> str: ...
    @property
    def status(self) -> str | int: ...


class Player(Protocol):
    """Plays the caller of one protocol."""

    def send(self, run: Run, fault: Fault) -> Answer:
        """Ask for a code."""
        ...

    def verify(self, run: Run, code: str, fault: Fault) -> Answer:
        """Present a code."""
        ...

    def repeat(self) -> Answer:
        """Make the last request again, as the protocol repeats a request."""
        ...

    def reference(self, run: Run) -> str:
        """Return the id by which the code of the last send is verified."""
        ...

    def seen(self) -> tuple[Message, Message, Proof, str]:
        """Return the last request, its answer, its proof, and what it tells beside its code."""
        ...


def open_player(run: Run, fault: Fault, transport: Transport, folder: Path) -> Player:
    """Return the player of a run's protocol.

    :param folder: the instance folder, with the keys.
    """
    client = run.choice.client
    if run.choice.protocol not in {ALIPAYPLUS, AMS}:
        return GooglePlayer(transport, folder, client)
    signing: SigningOptions = {
        "client_id": STRANGER if fault.stranger else client,
        "key": load_private_key(str(folder / KEYS[client])),
        "server_keys": {"1": load_public_key(str(folder / "wallet.pub"))},
    }
    if run.choice.protocol == AMS:
        return AmsPlayer(AmsCaller(transport, **signing))
    return AlipayPlusPlayer(AlipayPlusCaller(transport, psp_id=instance.PSP_ID, **signing))


class AlipayPlusPlayer:
    """Plays Alipay+."""

    def __init__(self, caller: AlipayPlusCaller) -> None:
        self._caller = caller
        self._last: AlipayPlusAnswer

    def send(self, run: Run, fault: Fault) -> Answer:
        token = "" if fault.empties else _token(run, fault)
        channel = run.choice.channel
        self._last = self._caller.send(token, tamper=fault.signed, verifyType=channel)
        return self._last

    def verify(self, run: Run, code: str, fault: Fault) -> Answer:
        typed = "" if fault.empties else code
        token = _token(run, fault)
        self._last = self._caller.verify(token, run.reference, typed, tamper=fault.signed)
        return self._last

    def repeat(self) -> Answer:
        self._last = self._caller.deliver(self._last.call, self._last.string_to_sign)
        return self._last

    def reference(self, run: Run) -> str:
        return self._last.verify_request_id

    def seen(self) -> tuple[Message, Message, Proof, str]:
        return _seen(self._last)


class AmsPlayer:
    """Plays a merchant."""

    def __init__(self, caller: AmsCaller) -> None:
        self._caller = caller
        self._last: AmsAnswer

    def send(self, run: Run, fault: Fault) -> Answer:
        token = "" if fault.empties else _token(run, fault)
        self._last = self._caller.init(
            token, run.request_id, channel=run.choice.channel, tamper=fault.signed
        )
        return self._last

    def verify(self, run: Run, code: str, fault: Fault) -> Answer:
        typed = "" if fault.empties else code
        self._last = self._caller.verify(run.reference, typed, tamper=fault.signed)
        return self._last

    def repeat(self) -> Answer:
        path = f"/{self._last.call.uri.rpartition('/')[2]}"
        if path == self._caller.paths[0]:  # it has an idempotency key: it may be signed again
            self._last = self._caller.call(path, self._last.call.body)
        else:
            self._last = self._caller.deliver(self._last.call, self._last.string_to_sign)
        return self._last

    def reference(self, run: Run) -> str:
        return run.request_id

    def seen(self) -> tuple[Message, Message, Proof, str]:
        return _seen(self._last)


class GooglePlayer:
    """Plays Google.

    :param account: whose messages it sends; its keys are in the folder.
    """

    def __init__(self, transport: Transport, folder: Path, account: str) -> None:
        keys = {
            "our_keys": str(folder / KEYS[account]),
            "their_keys": str(folder / "wallet.pub.jwks"),
        }
        self._caller = GoogleCaller.from_account(transport, {"envelope": "jose", **keys})
        self._folder = folder
        self._last: GoogleAnswer

    def send(self, run: Run, fault: Fault) -> Answer:
        value = "" if fault.empties else run.credential
        phone = run.choice.credential in NUMBERS
        self._last = self._caller.send(
            request_id=run.request_id,
            tamper=fault.sealed,
            **{"accountPhoneNumber" if phone else "associationId": value},
        )
        return self._last

    def verify(self, run: Run, code: str, fault: Fault) -> Answer:
        typed = "" if fault.empties else code
        self._last = self._caller.verify(run.reference, typed, tamper=fault.sealed)
        return self._last

    def repeat(self) -> Answer:
        method = self._last.call.uri.rpartition("/")[2]
        self._last = self._caller.call(method, self._last.asked)
        return self._last

    def reference(self, run: Run) -> str:
        return run.request_id

    def seen(self) -> tuple[Message, Message, Proof, str]:
        last = self._last
        request = jose.request_of(last, self._folder)
        answer = jose.answer_of(last, self._folder)
        return request, answer, jose.proof_of(last), last.description


def _seen(answer: SignedAnswer) -> tuple[Message, Message, Proof, str]:
    return (
        signed.request_of(answer),
        signed.answer_of(answer),
        signed.proof_of(answer),
        answer.message,
    )


def _token(run: Run, fault: Fault) -> str:
    if fault.foreign_token:
        return make_token(run.choice.user, run.choice.client, "foreign")
    return run.credential
