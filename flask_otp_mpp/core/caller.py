"""The caller: who asks, by protocol, client, acquirer and wallet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flask_otp_mpp.core.idempotency import digest_of

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The alphabet of client ids. A signed text is ``client.time.body``: with a dot in the id it would
have two readings, and a signature would be valid for both."""
CLIENT_ID_RULE: Final = "1 to 64 letters, digits, '_' or '-'"
_digest_of: Final = lru_cache(1024)(digest_of)  # few callers ask, each of them often


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request: its key proves the client, which states everything else.

    :param protocol: the protocol's name, such as ``alipayplus``.
    :param client: the client whose signature is valid; for Google the name of the account.
    :param acquirer: the acquirer for whom an Alipay+ client asks; empty in other protocols.
    :param psp: the ``pspId`` by which an Alipay+ client names the wallet; empty in other protocols.
    """

    protocol: str
    client: str
    acquirer: str = ""
    psp: str = ""

    @property
    def digest(self) -> str:
        """The name by which a store binds challenges to this caller: 64 hexadecimal digits."""
        return _digest_of(self.protocol, self.client, self.acquirer, self.psp)

    @property
    def client_digest(self) -> str:
        """The name by which a store counts for this client: 16 hexadecimal digits.

        It is the same for all acquirers and wallets of the client.
        """
        return _digest_of(self.protocol, self.client)[:16]
