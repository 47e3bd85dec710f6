"""Every account of the setting is read, and every fault of every account is told at once.

``OTP_MPP_GOOGLE_ACCOUNTS`` maps a name of the deployment's choosing to what was agreed with Google
for that account::

    {
        "gpay": {
            "envelope": "jose",                      # or "pgp", or "plain" for trials
            "our_keys": ["/etc/wallet/ours.jwks"],   # private; texts or paths, one or a list
            "their_keys": ["/etc/wallet/google.jwks"],
        }
    }

Members of every account:

* ``sealer``: ``"jose"``, ``"pgp"`` or ``"plain"``. Required.
* ``paths``: where below the prefix its methods lie, one or a list; ``"/v1"``. No clear-text
  header names the account, so the path does, and no two accounts have the same one.

Of ``jose``, where keys are JWKs or JWK sets, each RSA of 2048 bits or more with a ``kid``:

* ``our_keys``: the first for ``sig`` signs, all for ``enc`` decrypt. Required.
* ``their_keys``: any for ``sig`` proves, the first for ``enc`` is sealed to. Required.
* ``signed``: false for a bare JWE, where mutual TLS authenticates; true.
* ``key_algorithms``: ``["RSA-OAEP-256", "RSA-OAEP"]``. The first of a list seals, all open.
* ``content_algorithms``: ``["A256GCM", "A128CBC-HS256", "A256CBC-HS512"]``.
* ``signature_algorithms``: ``["RS256", "PS256"]``.
* ``rsa1_5``: true lets ``RSA1_5`` into ``key_algorithms``; false.

Of ``pgp``, where keys are armored and RSA of 2048 bits or more:

* ``our_keys``: all sign, all decrypt; without passphrase. Required.
* ``their_keys``: any proves, all are sealed to. Required.
* ``timeout``: how long gpg may take for one message, in seconds; 3.
* ``program``: gpg, by name or path; ``"gpg"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.protocols.google import accounts
from flask_otp_mpp.protocols.google.accounts import (
    SEPARATOR,
    Account,
    JoseAccount,
    PgpAccount,
    PlainAccount,
)
from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick, read_sets
from flask_otp_mpp.signing.keys import KeyFault

MAX_TIMEOUT: Final = 30.0
MAX_KEY_FILE: Final = 1024 * 1024

_RSA1_5: Final = "RSA1_5"
_CONTENTS: Final = (*accounts.CONTENT_ALGORITHMS, "A128GCM", "A192GCM", "A192CBC-HS384")
_SIGNATURES: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")

T = TypeVar("T")


def read_accounts(raw: object) -> tuple[Account, ...]:
    """Read the setting, without starting anything.

    :raises ValueError: with every fault of every account.
    """
    found: list[Account] = []
    faults: list[str] = []
    owners: dict[str, str] = {}
    for name, members in config.mapping(raw).items():
        reading = _Reading(members)
        account = reading.account(name)
        faults += [f"account {name!r}: {fault}" for fault in reading.faults]
        if account is None:
            continue
        found.append(account)
        for path in account.paths:
            owner = owners.setdefault(path, name)
            if owner != name:
                faults.append(
                    f"account {name!r}: 'paths' holds {path!r} as account {owner!r} does; give "
                    "each account its own"
                )
    if faults:
        raise ValueError(SEPARATOR.join(faults))
    return tuple(found)


class _Reading:
    """Read the members of one account, and keep what is wrong with each."""

    def __init__(self, raw: object) -> None:
        self.faults: list[str] = []
        self._known: list[str] = []
        self._members: Mapping[str, Any] = {}
        try:
            self._members = config.mapping(raw)
        except ValueError as fault:
            self.faults.append(str(fault))

    def account(self, name: str) -> Account | None:
        """Return the account, None if a member is at fault."""
        if self.faults:
            return None
        kind = self._member("envelope", _kind)
        paths = self._member("paths", _paths, default=("/v1",))
        makers: Mapping[str | None, Callable[[], Callable[[str, tuple[str, ...]], Account]]] = {
            "jose": self._jose,
            "pgp": self._pgp,
            "plain": lambda: PlainAccount,
        }
        if kind not in makers:
            return None
        make = makers[kind]()
        for member in self._members:
            if member not in self._known:
                near = get_close_matches(member, self._known, 1)
                advice = f"did you mean {near[0]!r}?" if near else "remove it"
                self.faults.append(f"{member!r} is no member of an account by {kind!r}; {advice}")
        return None if self.faults else make(name, paths)

    def _member(self, member: str, read: Callable[[object], T], *, default: Any = None) -> Any:
        """Read one member; what is wrong with it is kept, and None returned."""
        self._known.append(member)
        raw = self._members.get(member)
        if raw is None and default is not None:
            return default
        try:
            return read(raw)
        except ValueError as fault:
            self.faults.append(f"{member!r} {fault}")
            return None

    def _jose(self) -> Callable[[str, tuple[str, ...]], Account]:
        legacy = self._member("rsa1_5", _switch, default=False)
        signed = self._member("signed", _switch, default=True)
        keys = accounts.KEY_ALGORITHMS
        agreed = {
            "our_keys": self._member("our_keys", _jwks(signed=signed, private=True)),
            "their_keys": self._member("their_keys", _jwks(signed=signed, private=False)),
            "key_algorithms": self._member(
                "key_algorithms", _algorithms((*keys, _RSA1_5) if legacy else keys), default=keys
            ),
            "content_algorithms": self._member(
                "content_algorithms", _algorithms(_CONTENTS), default=accounts.CONTENT_ALGORITHMS
            ),
            "signature_algorithms": self._member(
                "signature_algorithms",
                _algorithms(_SIGNATURES),
                default=accounts.SIGNATURE_ALGORITHMS,
            ),
        }
        return lambda name, paths: JoseAccount(name, paths, signed=signed, **agreed)

    def _pgp(self) -> Callable[[str, tuple[str, ...]], Account]:
        agreed = {
            "our_keys": self._member("our_keys", _armored),
            "their_keys": self._member("their_keys", _armored),
            "timeout": self._member("timeout", _timeout, default=accounts.TIMEOUT),
            "program": self._member("program", config.text, default="gpg"),
        }
        return lambda name, paths: PgpAccount(name, paths, **agreed)


def _kind(raw: object) -> str:
    if raw in ("jose", "pgp", "plain"):
        return str(raw)
    raise ValueError("must be 'jose', 'pgp' or 'plain'")


def _paths(raw: object) -> tuple[str, ...]:
    return tuple(config.path(text) for text in config.texts(raw))


def _switch(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise ValueError("must be true or false")


def _timeout(raw: object) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and 0 < raw <= MAX_TIMEOUT:
        return float(raw)
    raise ValueError(f"must be a number of seconds, more than 0 and at most {MAX_TIMEOUT:g}")


def _algorithms(known: tuple[str, ...]) -> Callable[[object], tuple[str, ...]]:
    def read(raw: object) -> tuple[str, ...]:
        names = config.texts(raw)
        for name in names:
            if name == _RSA1_5 and name not in known:
                raise ValueError(f"may hold {name!r} only if 'rsa1_5' is true: it is not safe")
            if name not in known:
                raise ValueError(f"holds {name!r}; it may hold {', '.join(known)}")
        return names

    return read


def _jwks(*, signed: bool | None, private: bool) -> Callable[[object], tuple[Jwk, ...]]:
    def read(raw: object) -> tuple[Jwk, ...]:
        keys = read_sets(raw, private=private)
        for use in ("sig", "enc") if signed else ("enc",):
            pick(keys, use)
        return keys

    return read


def _armored(raw: object) -> tuple[str, ...]:
    return tuple(_armored_text(source) for source in config.texts(raw))


def _armored_text(source: str) -> str:
    text = source.strip()
    if not text.startswith("-----"):
        try:
            with Path(text).open(encoding="ascii") as file:
                text = file.read(MAX_KEY_FILE).strip()
        except (OSError, ValueError) as error:
            kind = type(error).__name__
            raise KeyFault(f"names a file that can't be read ({kind})") from None
    if not text.startswith("-----BEGIN PGP "):
        raise KeyFault("holds no armored PGP key (gpg --armor --export)")
    return text
