"""Google asks the wallet to send an OTP, to verify it, and to echo a word, each in an envelope.

Google Standard Payments, payment integrator (v1) and e-wallets (v1): sendOtp, verifyOtp, echo.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final, Self

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.core.challenge import Channel, IdempotencyKey
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.core.service import Done
from flask_otp_mpp.core.settings import PREFIX, ConfigurationError, Setting
from flask_otp_mpp.core.users import AssociationId, Credential, PhoneNumber
from flask_otp_mpp.protocols.base import (
    AuthenticatedRequest,
    CodeRow,
    Command,
    Deployment,
    Inbound,
    Mount,
    Operation,
    Outbound,
    RequestContext,
)
from flask_otp_mpp.protocols.google.accounts import Account, PlainAccount, open_sealers
from flask_otp_mpp.protocols.google.answers import SEND_RESULTS, Writer
from flask_otp_mpp.protocols.google.messages import NAME, Reader
from flask_otp_mpp.protocols.google.results import CODES, SUCCESS
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts

MAX_FRESHNESS: Final = timedelta(minutes=5)
MAX_KEEP: Final = timedelta(days=365)
_RESULT: Final = re.compile("[A-Z][A-Z0-9_]{1,63}")
_RESERVED: Final = frozenset({"SUCCESS", "UNKNOWN_RESULT"})


def _read_prefix(raw: object) -> str:
    return "" if raw == "" else config.path(raw)


def _read_freshness(raw: object) -> timedelta:
    window = config.seconds(raw)
    if not timedelta(seconds=1) <= window <= MAX_FRESHNESS:
        raise ValueError(f"must be 1 to {int(MAX_FRESHNESS.total_seconds())} s")
    return window


def _read_keep(raw: object) -> timedelta:
    ttl = config.seconds(raw)
    if not timedelta(days=1) <= ttl <= MAX_KEEP:
        raise ValueError("must be 86400 s to 365 days")
    return ttl


def _read_results(raw: object) -> frozenset[str]:
    names = config.texts(raw) if raw else ()
    for name in names:
        if _RESULT.fullmatch(name) is None or name in _RESERVED:
            raise ValueError(
                f"holds {name!r}; list names of Google's SendOtpResultCode, in capitals, that tell "
                "of a failure"
            )
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class MountedAccount:
    """Hold an account's name and its envelope."""

    name: str
    sealer: Sealer


class GoogleStandardPayments:
    """Speak Google's sendOtp, verifyOtp and echo.

    :param desks: by the prefix of their mounts; no header in clear text names an account.
    """

    name: ClassVar[str] = NAME
    signs: ClassVar[bool] = False
    credentials: ClassVar[frozenset[type[Credential]]] = frozenset({PhoneNumber, AssociationId})
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.MOBILE})
    operations: ClassVar[frozenset[Operation]] = frozenset(Operation)
    codes: ClassVar[Mapping[Reason, CodeRow]] = CODES
    success: ClassVar[CodeRow] = SUCCESS
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "GOOGLE_ACCOUNTS",
            read_accounts,
            "a mapping of account name to a mapping",
            "What was agreed with Google for each account: its envelope, keys and paths.",
        ),
        Setting(
            "GOOGLE_PREFIX",
            _read_prefix,
            "a URL path, or ''",
            "Where the paths of all accounts lie in the Flask app.",
            "/google",
        ),
        Setting(
            "GOOGLE_FRESHNESS",
            _read_freshness,
            "seconds, 1 to 300",
            "How far a request's time may be from now, either way; Google documents 60.",
            60,
        ),
        Setting(
            "GOOGLE_KEEP",
            _read_keep,
            "seconds, 86400 to 365 days",
            "How long the result of a request is remembered, to be told again to its repeat.",
            30 * 86400,
        ),
        Setting(
            "GOOGLE_SEND_RESULTS",
            _read_results,
            "a list of texts, or None",
            "Further values of SendOtpResultCode that the wallet's hooks may name.",
            None,
        ),
    )

    def __init__(
        self, *, accounts: Mapping[str, MountedAccount], reader: Reader, writer: Writer
    ) -> None:
        self._accounts = accounts
        self._reader = reader
        self._writer = writer
        self.mounts = tuple(Mount(prefix, prefix) for prefix in accounts)
        self.paths: Mapping[str, Operation] = {
            "/sendOtp": Operation.SEND,
            "/verifyOtp": Operation.VERIFY,
            "/echo": Operation.ECHO,
        }

    @classmethod
    def configure(cls, values: Mapping[str, Any], deployment: Deployment) -> Self:
        key = f"{PREFIX}GOOGLE_ACCOUNTS"
        accounts: tuple[Account, ...] = values["GOOGLE_ACCOUNTS"]
        faults = [
            (key, f"account {account.name!r}: 'plain' proves nothing; only DEBUG or TESTING has it")
            for account in accounts
            if isinstance(account, PlainAccount) and not deployment.trial
        ]
        try:
            from flask_otp_mpp.protocols.google.phone import normal  # noqa: PLC0415 - an extra
        except ImportError:
            finding = "is served only with phonenumberslite; pip install 'flask-otp-mpp[phone]'"
            faults.append((key, finding))
        if faults:
            raise ConfigurationError(faults)
        try:
            sealers = open_sealers(accounts)
        except ValueError as fault:
            raise ConfigurationError([(key, str(fault))]) from None
        return cls(
            accounts={
                values["GOOGLE_PREFIX"] + path: MountedAccount(account.name, sealers[account.name])
                for account in accounts
                for path in account.paths
            },
            reader=Reader(
                freshness=values["GOOGLE_FRESHNESS"],
                ttl=values["GOOGLE_KEEP"],
                clock=deployment.clock,
                number=normal,
            ),
            writer=Writer(deployment.clock, SEND_RESULTS | values["GOOGLE_SEND_RESULTS"]),
        )

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        """Let in who has sealed the body by the keys of the account that lives here.

        The media type is not asked: what is no envelope does not open.
        """
        if inbound.method != "POST":
            refuse(Reason.METHOD_UNSUPPORTED)
        account = self._accounts[inbound.prefix]
        opened = account.sealer.open(inbound.body)
        fingerprint = hashlib.sha256(inbound.body).hexdigest()
        request = IdempotencyKey(fingerprint, ttl=2 * self._reader.freshness)
        return AuthenticatedRequest(account.name, request, opened.payload)

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> Command:
        return self._reader.read(operation, authenticated.client, authenticated.body)

    def answer(self, call: RequestContext, answer: Done | Refused) -> Outbound:
        return self._writer.write(call, answer, self._accounts[call.inbound.prefix].sealer)
