"""AMS: initAuthentication and verifyAuthentication, their settings and their fields.

AMS API, with the wallet as the server. A merchant chooses the id of its request; for one id a code
is sent once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import IdempotencyKey, digest_of
from flask_otp_mpp.core.readers import FLAG, OPTIONAL_PATH, PATH, one_of, seconds
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import BySend, SendOtp, VerifyOtp
from flask_otp_mpp.core.settings import Rule as SettingsRule
from flask_otp_mpp.core.settings import key_of, setting
from flask_otp_mpp.core.users import AccessToken, Credential
from flask_otp_mpp.protocols.alipay.ams_codes import CODES, READINGS, SUCCESS, TABLE
from flask_otp_mpp.protocols.alipay.ams_fields import (
    CHANNEL,
    IDENTITY,
    IDENTITY_TYPE,
    PASSED_VALUES,
    REQUEST_ID,
    TYPE,
    VALUE,
    Booleans,
)
from flask_otp_mpp.protocols.alipay.clients import (
    SANDBOX_CLIENT,
    Client,
    clients_reader,
    keys_of,
    prints_of,
)
from flask_otp_mpp.protocols.alipay.codes import BOTH, UNKNOWN, chosen_codes
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

WAIT_FOR_PENDING: Final = timedelta(seconds=3)
"""How long a repeat may wait for the same request, if that is at work now; a merchant should wait
five seconds for an answer, as Alipay+ does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmsSettings:
    """The settings of :class:`Ams`."""

    RULES: ClassVar[tuple[SettingsRule, ...]] = (DISTINCT_PATHS,)

    clients: Mapping[str, Client] = setting(
        "AMS_CLIENTS",
        clients_reader(Client),
        "The keys that merchants sign with: PEM, one line of base64, or a file's path. Needed "
        "unless a `client_key` hook knows them.",
        default=None,
    )
    prefix: str = setting(
        "AMS_PREFIX",
        PATH,
        "The path prefix of the API in the Flask app.",
        default="/ams/api/v1/users",
    )
    public_prefix: str | None = setting(
        "AMS_PUBLIC_PREFIX",
        OPTIONAL_PATH,
        "The same as merchants call and sign it, if a proxy rewrites paths.",
        default=None,
    )
    sandbox_prefix: str = setting(
        "AMS_SANDBOX_PREFIX",
        PATH,
        f"The path prefix of the API for clients whose ids start with `{SANDBOX_CLIENT}`.",
        default="/ams/sandbox/api/v1/users",
    )
    sandbox_public_prefix: str | None = setting(
        "AMS_SANDBOX_PUBLIC_PREFIX",
        OPTIONAL_PATH,
        "The same as they call and sign it, if a proxy rewrites paths.",
        default=None,
    )
    send_path: str = setting(
        "AMS_SEND_PATH",
        PATH,
        "The path of initAuthentication below the prefix.",
        default="/initAuthentication",
    )
    verify_path: str = setting(
        "AMS_VERIFY_PATH",
        PATH,
        "The path of verifyAuthentication below the prefix.",
        default="/verifyAuthentication",
    )
    keep: timedelta = setting(
        "AMS_KEEP",
        # Longer than any code is accepted, and than any request that names the id is fresh.
        seconds(3600, 2592000, why="an id must outlive its code"),
        "How long the answer to an authenticationRequestId is kept for its repeats.",
        default=86400,
    )
    booleans: Booleans = setting(
        "AMS_BOOLEANS",
        one_of(Booleans),
        'Whether isPassed is `"true"`, and left out otherwise, or is `true` or `false`.',
        default="string",
    )
    sandbox_at_both: bool = setting(
        "AMS_SANDBOX_AT_BOTH",
        FLAG,
        f"Whether clients whose ids start with `{SANDBOX_CLIENT}` are served under the prefix of "
        "all others too.",
        default=False,
    )
    codes: Codes = setting(
        "AMS_CODES",
        chosen_codes(TABLE, READINGS),
        "Other result codes of the API's tables, by the reasons that they answer: "
        "`{'SEND_LIMITED': 'REQUEST_TRAFFIC_EXCEED_LIMIT'}`.",
        default=None,
    )
    repeats: Repeats = setting(
        "AMS_REPEATS",
        REPEATS,
        "The same as `OTP_MPP_ALIPAYPLUS_REPEATS`, for verifyAuthentication; initAuthentication "
        "has an id for it.",
        default="replay",
    )


class Ams:
    """AMS's initAuthentication and verifyAuthentication; made by ``OtpMpp(Ams)``."""

    name: ClassVar[str] = "ams"
    signs: ClassVar[bool] = True
    credentials: ClassVar[frozenset[type[Credential]]] = frozenset({AccessToken})
    channels: ClassVar[frozenset[Channel]] = frozenset()
    operations: ClassVar[frozenset[Operation]] = BOTH
    codes: ClassVar[Codes] = CODES
    success: ClassVar[CodeRow] = SUCCESS
    settings: ClassVar[type[AmsSettings]] = AmsSettings
    clients: ClassVar[str | None] = "clients"

    def __init__(
        self, settings: AmsSettings | None = None, deployment: Deployment | None = None
    ) -> None:
        if settings is None or deployment is None:
            raise made_by_host(type(self))
        self.client_keys = keys_of(settings.clients)
        self.client_names: Collection[str] = self.client_keys.keys()
        self.key_prints = prints_of(self.client_keys)
        usual, sandbox = key_of(AmsSettings, "prefix"), key_of(AmsSettings, "sandbox_prefix")
        self._sandbox = mount_at(settings.sandbox_prefix, settings.sandbox_public_prefix, sandbox)
        self.mounts = (mount_at(settings.prefix, settings.public_prefix, usual), self._sandbox)
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
        self._keep = settings.keep
        self.passed = PASSED_VALUES[settings.booleans]
        self._sandbox_at_both = settings.sandbox_at_both
        self.chosen_codes = settings.codes
        self._not_cached = frozenset(
            reason for reason, it in self.chosen_codes.items() if it.status == UNKNOWN
        )

    def authenticate(self, inbound: Inbound) -> AuthenticatedRequest:
        authenticated = self._signed_headers.open(inbound)
        in_sandbox = inbound.prefix == self._sandbox.prefix
        is_sandbox = authenticated.client.startswith(SANDBOX_CLIENT)
        if in_sandbox is not is_sandbox and not (is_sandbox and self._sandbox_at_both):
            served = "only" if in_sandbox else "not"
            refuse(
                Reason.ACCESS_DENIED,
                f"Client-Id: ids that start with {SANDBOX_CLIENT} are {served} served here.",
            )
        return authenticated

    def read(self, operation: Operation, authenticated: AuthenticatedRequest) -> ParsedRequest:
        fields = Fields.parse(authenticated.body)
        TYPE.read(fields)
        request_id = REQUEST_ID.read(fields)
        caller = Caller(self.name, authenticated.client)
        first = digest_of(self.name, authenticated.client, "init", request_id)
        if operation is Operation.VERIFY:
            code = Secret(VALUE.read(fields))
            return ParsedRequest(VerifyOtp(caller, BySend(first), code, authenticated.request))
        channel = CHANNEL.read(fields)
        identify = IDENTITY_TYPE.read(fields)
        user = identify(IDENTITY.read(fields))
        parameters = digest_of(channel, type(user).__name__, user.reveal())
        request = IdempotencyKey(first, self._keep, parameters, self._not_cached)
        command = SendOtp(caller, user, channel, request, WAIT_FOR_PENDING)
        return ParsedRequest(command, for_answer=request_id)

    def told_code(self, _operation: Operation | None, reason: Reason | None) -> str:
        return self._row(reason).code

    def answer(self, context: RequestContext, outcome: Outcome) -> Outbound:
        reason, parsed = outcome.reason, context.parsed
        row = self._row(reason)
        fields: dict[str, str | bool] = {}
        if parsed is not None and context.operation is Operation.SEND:
            fields[REQUEST_ID.name] = parsed.for_answer
        else:
            fields |= self.passed.get(reason, {})
        return self._signed_headers.answer(context, outcome, row, **fields)

    def _row(self, reason: Reason | None) -> CodeRow:
        return SUCCESS if reason is None else self.chosen_codes[reason]
