"""Alipay+: sendOTP and verifyOTP, their settings and their fields.

Alipay+ Mobile Payment Provider API: sendOTP and verifyOTP.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.readers import OPTIONAL_PATH, PATH, Reader, texts
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, SendOtp, VerifyOtp
from flask_otp_mpp.core.settings import Rule as SettingsRule
from flask_otp_mpp.core.settings import key_of, setting
from flask_otp_mpp.core.users import AccessToken, Credential
from flask_otp_mpp.protocols.alipay.alipayplus_codes import CODES, READINGS, SUCCESS, TABLE
from flask_otp_mpp.protocols.alipay.alipayplus_fields import (
    ACCESS_TOKEN,
    ACQUIRER_ID,
    OTP_CODE,
    PSP_ID,
    VERIFY_REQUEST_ID,
    VERIFY_TYPE,
)
from flask_otp_mpp.protocols.alipay.clients import (
    TEXTS,
    AlipayPlusClient,
    Scope,
    clients_reader,
    keys_of,
    prints_of,
    scopes_of,
    warn_of_sandbox,
)
from flask_otp_mpp.protocols.alipay.codes import BOTH, chosen_codes
from flask_otp_mpp.protocols.alipay.settings import (
    DISTINCT_PATHS,
    REPEATS,
    Repeats,
    called_uris,
    mount_at,
)
from flask_otp_mpp.protocols.alipay.signed_headers import SignedHeaders
from flask_otp_mpp.protocols.base import Deployment, made_by_host
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.json_fields import Fields
from flask_otp_mpp.protocols.values import (
    AuthenticatedRequest,
    CodeRow,
    Inbound,
    Operation,
    Outbound,
    ParsedRequest,
    RequestContext,
)
from flask_otp_mpp.signing.client_keys import ClientKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayPlusSettings:
    """The settings of :class:`AlipayPlus`."""

    RULES: ClassVar[tuple[SettingsRule, ...]] = (DISTINCT_PATHS,)

    clients: Mapping[str, AlipayPlusClient] = setting(
        "ALIPAYPLUS_CLIENTS",
        clients_reader(AlipayPlusClient),
        "The keys that Alipay+ signs with: PEM, one line of base64, or a file's path. Needed "
        "unless a `client_key` hook knows them. An entry may also be a mapping of `keys`, "
        "`psp_ids` and `acquirers`.",
        default=None,
    )
    psp_ids: frozenset[str] = setting(
        "ALIPAYPLUS_PSP_ID",
        Reader("a text, or a list of them", lambda raw: frozenset(texts(raw))),
        "The pspId that Alipay+ gave to this wallet; a list to serve sandbox and production, with "
        "`psp_ids` in the entry of each client.",
        placeholder=frozenset(),
    )
    acquirers: frozenset[str] | None = setting(
        "ALIPAYPLUS_ACQUIRERS",
        TEXTS,
        "The acquirerIds that may ask, unless the client's entry names its own; all if it is None.",
        default=None,
    )
    prefix: str = setting(
        "ALIPAYPLUS_PREFIX",
        PATH,
        "The path prefix of the API in the Flask app.",
        default="/aps/api/v1/users",
    )
    public_prefix: str | None = setting(
        "ALIPAYPLUS_PUBLIC_PREFIX",
        OPTIONAL_PATH,
        "The same as Alipay+ calls and signs it, if a proxy rewrites paths.",
        default=None,
    )
    send_path: str = setting(
        "ALIPAYPLUS_SEND_PATH",
        PATH,
        "The path of sendOTP below the prefix.",
        default="/sendOTP",
    )
    verify_path: str = setting(
        "ALIPAYPLUS_VERIFY_PATH",
        PATH,
        "The path of verifyOTP below the prefix.",
        default="/verifyOTP",
    )
    codes: Codes = setting(
        "ALIPAYPLUS_CODES",
        chosen_codes(TABLE, READINGS),
        "Other result codes of the API's tables, by the reasons that they answer: "
        "`{'PSP_UNKNOWN': 'PARAM_ILLEGAL'}`.",
        default=None,
    )
    repeats: Repeats = setting(
        "ALIPAYPLUS_REPEATS",
        REPEATS,
        "Whether a byte-identical request within the freshness window gets the first answer again, "
        "or is judged like a new one.",
        default="replay",
    )


class AlipayPlus:
    """Alipay+'s sendOTP and verifyOTP; made by ``OtpMpp(AlipayPlus)``."""

    name: ClassVar[str] = "alipayplus"
    signs: ClassVar[bool] = True
    credentials: ClassVar[frozenset[type[Credential]]] = frozenset({AccessToken})
    channels: ClassVar[frozenset[Channel]] = frozenset()
    operations: ClassVar[frozenset[Operation]] = BOTH
    codes: ClassVar[Codes] = CODES
    success: ClassVar[CodeRow] = SUCCESS
    settings: ClassVar[type[AlipayPlusSettings]] = AlipayPlusSettings
    clients: ClassVar[str | None] = "clients"

    def __init__(
        self,
        settings: AlipayPlusSettings | None = None,
        deployment: Deployment | None = None,
    ) -> None:
        if settings is None or deployment is None:
            raise made_by_host(type(self))
        self._scopes, self._unlisted = scopes_of(
            settings.clients,
            settings.psp_ids,
            settings.acquirers,
            hooked=deployment.client_key is not None,
        )
        warn_of_sandbox(self._scopes)
        self.client_keys = keys_of(settings.clients)
        self.client_names: Collection[str] = self.client_keys.keys()
        self.key_prints = prints_of(self.client_keys)
        key = key_of(AlipayPlusSettings, "prefix")
        self.mounts = (mount_at(settings.prefix, settings.public_prefix, key),)
        self.paths: Mapping[str, Operation] = {
            settings.send_path: Operation.SEND,
            settings.verify_path: Operation.VERIFY,
        }
        self._signed_headers = SignedHeaders(
            ClientKeys(self.client_keys, deployment.client_key),
            deployment,
            called_uris(self.mounts, self.paths),
            settings.repeats,
        )
        self.chosen_codes = settings.codes

    def scope_of(self, client: str) -> Scope:
        """Return what a client may name; for one that is not listed, what such a client may."""
        return self._scopes.get(client, self._unlisted)

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        return self._signed_headers.open(inbound)

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> ParsedRequest:
        fields = Fields.parse(authenticated.body)
        acquirer = ACQUIRER_ID.read(fields)
        psp = PSP_ID.read(fields)
        token = AccessToken(ACCESS_TOKEN.read(fields))
        if operation is Operation.SEND:
            channel = VERIFY_TYPE.read(fields)
        else:
            challenge_id = VERIFY_REQUEST_ID.read(fields)
            code = Secret(OTP_CODE.read(fields))
        scope = self.scope_of(authenticated.client)
        if psp not in scope.psp_ids:
            refuse(Reason.PSP_UNKNOWN, "pspId: is not this wallet's.")
        if scope.acquirers is not None and acquirer not in scope.acquirers:
            refuse(Reason.ACCESS_DENIED, "acquirerId: is not on this wallet's list.")
        # All four must be the same to verify.
        caller = Caller(self.name, authenticated.client, acquirer, psp)
        if operation is Operation.SEND:
            return ParsedRequest(SendOtp(caller, token, channel, authenticated.request))
        target = ById(challenge_id, token)
        return ParsedRequest(VerifyOtp(caller, target, code, authenticated.request))

    def told_code(self, _operation: Operation | None, reason: Reason | None) -> str:
        return self._row(reason).code

    def answer(self, context: RequestContext, outcome: Outcome) -> Outbound:
        fields = {}
        row = self._row(outcome.reason)
        if outcome.reason is None and context.operation is Operation.SEND:
            fields[VERIFY_REQUEST_ID.name] = outcome.challenge_id
        return self._signed_headers.answer(context, outcome, row, **fields)

    def _row(self, reason: Reason | None) -> CodeRow:
        return SUCCESS if reason is None else self.chosen_codes[reason]
