"""Google Standard Payments: sendOtp, verifyOtp and echo, with sealed bodies.

Google Standard Payments, payment integrator (v1) and e-wallets (v1).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from flask_otp_mpp.core.bulkhead import Bulkhead
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import replay_memory
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.readers import Unreadable
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.core.secret import cleared_frames
from flask_otp_mpp.core.settings import ConfigurationError, key_of
from flask_otp_mpp.core.trace import current
from flask_otp_mpp.core.users import AssociationId, Credential, PhoneNumber
from flask_otp_mpp.protocols.base import Deployment, made_by_host
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.google.account_members import Phones
from flask_otp_mpp.protocols.google.accounts import Account, JoseAccount, PlainAccount, open_sealers
from flask_otp_mpp.protocols.google.answers import SEND_RESULTS, Writer
from flask_otp_mpp.protocols.google.messages import NAME, Reader
from flask_otp_mpp.protocols.google.results import CODES, NO_BODY, SUCCESS, row_for
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import GoogleSettings
from flask_otp_mpp.protocols.values import (
    AuthenticatedRequest,
    CodeRow,
    Inbound,
    Mount,
    Operation,
    Outbound,
    ParsedRequest,
    RequestContext,
)

logger = logging.getLogger("flask_otp_mpp")


@dataclass(frozen=True, slots=True)
class MountedAccount:
    """An account, its sealer, and what reads its messages."""

    account: Account
    sealer: Sealer
    reader: Reader


class GoogleStandardPayments:
    """Google's sendOtp, verifyOtp and echo; made by ``OtpMpp(GoogleStandardPayments)``."""

    name: ClassVar[str] = NAME
    signs: ClassVar[bool] = False
    credentials: ClassVar[frozenset[type[Credential]]] = frozenset({PhoneNumber, AssociationId})
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.MOBILE})
    operations: ClassVar[frozenset[Operation]] = frozenset(Operation)
    codes: ClassVar[Codes] = CODES
    success: ClassVar[CodeRow] = SUCCESS
    settings: ClassVar[type[GoogleSettings]] = GoogleSettings
    clients: ClassVar[str | None] = None

    def __init__(
        self, settings: GoogleSettings | None = None, deployment: Deployment | None = None
    ) -> None:
        if settings is None or deployment is None:
            raise made_by_host(type(self))
        key = key_of(GoogleSettings, "accounts")
        faults = [
            (key, f"account {account.name!r}: 'plain' proves nothing; only DEBUG or TESTING has it")
            for account in settings.accounts
            if isinstance(account, PlainAccount) and not deployment.insecure_allowed
        ]
        sealers: Mapping[str, Sealer] = {}
        try:
            from flask_otp_mpp.protocols.google.phone import normal  # noqa: PLC0415 - an extra
        except ImportError:
            finding = "is served only with phonenumberslite; pip install 'flask-otp-mpp[phone]'"
            faults.append((key, finding))
        try:
            sealers = open_sealers(settings.accounts)
        except Unreadable as fault:
            faults.extend((key, finding) for finding in fault.findings)
        if faults:
            for sealer in sealers.values():
                sealer.close()
            raise ConfigurationError(faults)
        for account in settings.accounts:
            if isinstance(account, JoseAccount) and not account.signed:
                logger.warning(
                    "%r: account %r has 'signed': false, so nothing but mutual TLS proves that "
                    "Google calls; see that your server asks for Google's certificate",
                    key,
                    account.name,
                )
        self.sealers = sealers
        self.client_names: Collection[str] = sealers.keys()
        self.key_prints = {
            f"{account} {name}": one
            for account, sealer in sealers.items()
            for name, one in sealer.key_prints.items()
        }
        # By the prefix of their mounts: no header in clear text names an account.
        self._accounts = {
            settings.prefix + path: MountedAccount(account, sealers[account.name], reader)
            for account in settings.accounts
            for reader in [_reader(account, settings, deployment, normal)]
            for path in account.paths
        }
        self._readers = {one.account.name: one.reader for one in self._accounts.values()}
        self._freshness = settings.freshness
        self._operations = deployment.key_operations
        self.chosen_codes = settings.codes
        self.send_results = SEND_RESULTS | settings.send_results
        self._writer = Writer(
            deployment.clock,
            self.send_results,
            deployment.budget,
            settings.codes,
        )
        mounted = key_of(GoogleSettings, "prefix")
        self.mounts = tuple(Mount(prefix, prefix, mounted) for prefix in self._accounts)
        self.paths: Mapping[str, Operation] = {
            "/sendOtp": Operation.SEND,
            "/verifyOtp": Operation.VERIFY,
            "/echo": Operation.ECHO,
        }

    def account_at(self, mount: Mount) -> Account:
        """Return the account that is served at a mount."""
        return self._accounts[mount.prefix].account

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        """Open the body by the keys of the account whose prefix is called.

        The media type is not checked: a body that is not sealed does not open.
        """
        if inbound.method != "POST":
            refuse(Reason.METHOD_UNSUPPORTED)
        mounted = self._accounts[inbound.prefix]
        current().claimed = mounted.account.name
        self._operations.count_decryption()
        with cleared_frames():
            opened = mounted.sealer.open(inbound.body)
        fingerprint = hashlib.sha256(inbound.body).hexdigest()
        request = IdempotencyKey(fingerprint, ttl=replay_memory(self._freshness))
        return AuthenticatedRequest(mounted.account.name, request, opened.payload)

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> ParsedRequest:
        reader = self._readers[authenticated.client]
        return reader.read(operation, authenticated.client, authenticated.body)

    def told_code(self, operation: Operation | None, reason: Reason | None) -> str:
        row = row_for(operation, reason, self.chosen_codes)
        return row.status if row.code == NO_BODY else row.code

    def answer(self, context: RequestContext, outcome: Outcome) -> Outbound:
        mounted = self._accounts[context.inbound.prefix]
        outbound = self._writer.write(context, outcome, mounted.sealer, mounted.account.errors)
        if outbound.body:
            self._operations.count_signature()
        return outbound

    def bulkheads(self, work: str) -> list[Bulkhead]:
        """Return where messages of PGP accounts wait for ``gpg``, to be opened or sealed.

        :param work: ``opening`` or ``sealing``.
        """
        sealers = {id(one.sealer): one.sealer for one in self._accounts.values()}
        found = (getattr(sealer, work, None) for sealer in sealers.values())
        return [one for one in found if one is not None]


def _reader(
    account: Account,
    settings: GoogleSettings,
    deployment: Deployment,
    normal: Callable[[str], str | None],
) -> Reader:
    """Return what reads the messages of an account.

    :param normal: returns a phone number in its one form, None if there can't be such a number.
    """
    host_decides = account.phones is Phones.HOST
    return Reader(
        freshness=settings.freshness,
        ttl=settings.keep,
        clock=deployment.clock,
        number=(lambda text: normal(text) or text) if host_decides else normal,
        codes=settings.codes,
        skew=deployment.skew,
    )
