"""Signed access tokens, for a wallet that has no token service of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE, Caller
from flask_otp_mpp.core.clock import CLOCKS_APART, Clock, utc_now
from flask_otp_mpp.core.reasons import Reason, refuse

SEND_OTP: Final = "SEND_OTP"
"""The scope that a token needs for sendOTP and verifyOTP, and for AMS."""
MIN_SECRET: Final = 32
"""The bytes of a secret: as many as the HMAC has (RFC 2104, section 3)."""
MAX_TOKEN: Final = 128
"""The characters that Alipay+ and AMS allow for an access token."""


class AccessTokens:
    """Make and read signed access tokens that hold a user id, scopes and the time of issue.

    A token is signed by itsdangerous with HMAC-SHA256 and is not encrypted: a caller who has one
    can read the user id. Nothing is stored, so a token can't be revoked; a wallet that must revoke
    keeps its own table of grants, and puts the id of a grant in the place of the user id.

    :param secret_key: the secret that signs, of at least 32 bytes; or a list of them, in which the
        last one signs and all verify.
    :param life: the age up to which a token is accepted; whole seconds. A token may be a minute
        from the future: the clock of the host that made it may be ahead.
    :param clock: returns the time, as aware UTC; for tests.
    :raises ValueError: if a secret is too short.
    """

    def __init__(
        self, secret_key: str | Sequence[str], life: timedelta, clock: Clock = utc_now
    ) -> None:
        class ClockedSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock().timestamp())

        keys = [secret_key] if isinstance(secret_key, str) else list(secret_key)
        if not keys or any(len(key.encode()) < MIN_SECRET for key in keys):
            raise ValueError(
                f"each secret_key needs {MIN_SECRET} bytes or more; make one: "
                "python -c 'import secrets; print(secrets.token_hex())'"
            )
        self._serializer = URLSafeTimedSerializer(
            keys,
            signer=ClockedSigner,
            signer_kwargs={"digest_method": hashlib.sha256},
        )
        self._life = life
        self._clock = clock

    def mint(self, user_id: str, scopes: Sequence[str] = (SEND_OTP,), *, client: str) -> str:
        """Make a token of at most 128 characters, for one client only.

        :param user_id: what :meth:`load` returns for it.
        :param scopes: what the token allows.
        :param client: the id of the client that gets the token, as in ``Caller.client``; presented
            by another client it is invalid.
        :raises ValueError: if user id and scopes are too long for 128 characters, or no client
            can have such an id.
        """
        if CLIENT_ID.fullmatch(client) is None:
            raise ValueError(f"client is {client!r}; a client id has {CLIENT_ID_RULE}")
        token = self._serializer.dumps([user_id, *scopes], salt=_salt(client))
        if len(token) > MAX_TOKEN:
            raise ValueError(
                f"the token would have {len(token)} characters, the protocols allow {MAX_TOKEN}; "
                "use a shorter user id or fewer scopes"
            )
        return token

    def load(self, token: str, caller: Caller, scope: str = SEND_OTP) -> str:
        """Check signature, scope and age, in this order, and return the user id.

        The order is that of Alipay+'s acceptance tests. The client is a part of what is signed.

        :param token: as the caller sent it.
        :param caller: who sent it.
        :param scope: the scope that the token must have.
        :raises Refused: TOKEN_INVALID if the signature is wrong, the token was made for another
            client, or the scope is missing; TOKEN_EXPIRED if everything but the age is right.
        """
        try:
            (user_id, *scopes), minted = self._serializer.loads(
                token, return_timestamp=True, salt=_salt(caller.client)
            )
        except BadData:
            refuse(Reason.TOKEN_INVALID)
        if scope not in scopes:
            refuse(Reason.TOKEN_INVALID, f"The token lacks the scope {scope}.")
        age = self._clock().replace(microsecond=0) - minted
        if not -CLOCKS_APART <= age <= self._life:
            refuse(Reason.TOKEN_EXPIRED)
        return str(user_id)


def _salt(client: str) -> str:
    """Return what the signing key is derived with: each client has one of its own."""
    return f"flask-otp-mpp.access-token:{client}"
