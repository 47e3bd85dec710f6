"""A wallet without a token service still hands out access tokens that nobody can forge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from flask_otp_mpp.core.ports import Clock, utc_now
from flask_otp_mpp.core.reasons import Reason, refuse

SEND_OTP: Final = "SEND_OTP"
MAX_TOKEN: Final = 128


class AccessTokens:
    """Mint and load signed access tokens with user, scopes and age.

    Nothing is stored, so a token can't be revoked before its time: a wallet that must revoke keeps
    grants of its own and looks there as well.

    :param secret_key: the signing secret, or several with the newest last (itsdangerous).
    :param life: how old a token may become.
    :param clock: the time, as aware UTC; for tests.
    """

    def __init__(
        self, secret_key: str | Sequence[str], life: timedelta, clock: Clock = utc_now
    ) -> None:
        class ClockedSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock().timestamp())

        keys = [secret_key] if isinstance(secret_key, str) else list(secret_key)
        self._serializer = URLSafeTimedSerializer(
            keys,
            salt="flask-otp-mpp.access-token",
            signer=ClockedSigner,
            signer_kwargs={"digest_method": hashlib.sha256},
        )
        self._life = life

    def mint(self, user_id: str, scopes: Sequence[str] = (SEND_OTP,)) -> str:
        """Make a token of at most 128 characters.

        :raises ValueError: if the user id and scopes are too long for that.
        """
        token = self._serializer.dumps([user_id, *scopes])
        if len(token) > MAX_TOKEN:
            raise ValueError(
                f"the token would have {len(token)} characters, the wire allows {MAX_TOKEN}; "
                "use a shorter user id or fewer scopes"
            )
        return token

    def load(self, token: str, scope: str = SEND_OTP) -> str:
        """Return the user id, after token, scope and expiry have been checked in this order.

        :raises Refused: TOKEN_INVALID if the signature is bad or the scope is missing,
            TOKEN_EXPIRED if only its age speaks against it.
        """
        expired = False
        try:
            grant = self._serializer.loads(token, max_age=int(self._life.total_seconds()))
        except SignatureExpired as late:
            expired = True
            grant = self._serializer.load_payload(late.payload or b"")
        except BadData:
            refuse(Reason.TOKEN_INVALID)
        user_id, *scopes = grant
        if scope not in scopes:
            refuse(Reason.TOKEN_INVALID, f"The token lacks the scope {scope}.")
        if expired:
            refuse(Reason.TOKEN_EXPIRED)
        return str(user_id)
