"""Say whether a captured signature verifies, and if not, which mistake makes it verify.

What the signature itself tells comes first: its encoding, its key, its hash. It gives back the
digest of what was signed, so that each string that may have been signed costs one hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.conformance.explain import signatures
from flask_otp_mpp.conformance.explain.base import Context, Known, Mistake
from flask_otp_mpp.conformance.explain.captured import Captured, Direction
from flask_otp_mpp.conformance.explain.mistakes import (
    KEY_OTHER_CLIENT,
    KEY_OTHER_SIDE,
    KEY_VERSION,
    MISTAKES,
)
from flask_otp_mpp.conformance.explain.recover import recover
from flask_otp_mpp.conformance.explain.search import Search
from flask_otp_mpp.conformance.explain.signatures import Presented
from flask_otp_mpp.conformance.explain.string_to_sign import (
    StringToSign,
    first_difference,
)
from flask_otp_mpp.signing.client_keys import newest


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a signature verifies, or does not.

    :param verified: whether it verifies as the protocol demands, and nothing else is wrong.
    :param explained: whether it is known what was signed and by which key.
    :param found: the mistakes, in the order of :data:`MISTAKES`.
    :param expected: the string that the signature must cover.
    :param signed: the string that it covers; None if none of the tried ones.
    :param difference: the index in their texts at which both differ first.
    :param key: the name of the key that made the signature; None if none of the given ones did.
    :param digest: of the string that was signed, in hex, if only that is known.
    :param tried: the ids of the mistakes that were looked for.
    :param strings: how many strings were compared.
    :param notes: what else a reader must know.
    """

    verified: bool
    explained: bool
    found: tuple[Mistake, ...]
    expected: StringToSign = field(repr=False)
    signed: StringToSign | None = field(default=None, repr=False)
    difference: int | None = None
    key: str | None = None
    digest: str = ""
    tried: tuple[str, ...] = ()
    strings: int = 0
    notes: tuple[str, ...] = ()

    def with_mistakes_of_key(self, forms: Mapping[str, tuple[Mistake, ...]]) -> Explanation:
        """Add what is wrong with the form of the key that made the signature.

        :param forms: by the names of the keys; if no key made it, those of all keys are added.
        """
        names = forms if self.key is None else [self.key]
        more = tuple(dict.fromkeys(one for name in names for one in forms.get(name, ())))
        if not more:
            return self
        return replace(self, verified=False, found=_in_order((*self.found, *more)))


def explain(
    message: Captured, keys: Mapping[str, RSAPublicKey], known: Known | None = None
) -> Explanation:
    """Explain the signature of a captured message.

    :param message: the request, or the answer, of an exchange.
    :param keys: the public keys of its sender by version; "" names one for any version.
    :param known: what else is known, such as the keys of the other side.
    :raises Unreadable: if the capture does not hold what is signed.
    """
    known = known or Known()
    expected = message.string_to_sign()
    tried = tuple(one.id for one in MISTAKES)
    presented = signatures.readings(message.signature)
    for reading in presented:
        for name, key, key_mistakes in _candidates(keys, reading.version, known):
            recovered = recover(key, reading.signature)
            if recovered is not None:
                search = Search(expected, Context(message, known), recovered)
                found = (*reading.mistakes, *key_mistakes, *recovered.mistakes)
                return replace(_explained(message, search, found), key=name, tried=tried)
    return Explanation(
        verified=False,
        explained=False,
        found=_unreadable(message.signature, presented, [*keys.values()]),
        expected=expected,
        tried=tried,
        notes=message.notes,
    )


def _candidates(
    keys: Mapping[str, RSAPublicKey], version: str | None, known: Known
) -> Iterator[tuple[str, RSAPublicKey, tuple[Mistake, ...]]]:
    """Yield each key that may have made a signature, the one that the header names first."""
    named = version if version is not None else newest(keys) if keys else ""
    right = named if named in keys else ""
    if right in keys:
        yield right, keys[right], ()
    for name, key in keys.items():
        if name != right:
            yield name, key, (KEY_VERSION,)
    for name, key in known.other_side.items():
        yield name, key, (KEY_OTHER_SIDE,)
    for name, key in known.other_clients.items():
        yield name, key, (KEY_OTHER_CLIENT,)


def _explained(message: Captured, search: Search, found: tuple[Mistake, ...]) -> Explanation:
    """Look for the string that a signature was made over, whose key and hash are known."""
    hit = search.run()
    expected = search.expected
    notes = message.notes + search.notes
    if hit is None:
        return Explanation(
            verified=False,
            explained=False,
            found=_in_order(found),
            expected=expected,
            digest=search.recovered.digest,
            strings=search.strings,
            notes=notes,
        )
    signed, mistakes = hit
    found = (*found, *mistakes)
    if not signatures.is_encoded(message.signature):
        if message.direction is Direction.ANSWER:
            found = (*found, signatures.NOT_ENCODED)
        else:
            notes += (
                "The signature is not percent-encoded. This package reads it; the official clients "
                "take its `+` for a space.",
            )
    texts = (expected.show(secrets=True), signed.show(secrets=True))
    return Explanation(
        verified=not found,
        explained=True,
        found=_in_order(found),
        expected=expected,
        signed=signed,
        difference=first_difference(*texts),
        strings=search.strings,
        notes=notes,
    )


def _in_order(found: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    ids = {one.id for one in found}
    return tuple(one for one in MISTAKES if one.id in ids)


def _unreadable(
    header: str, presented: list[Presented], keys: list[RSAPublicKey]
) -> tuple[Mistake, ...]:
    """Return what is wrong with a signature that no key has made."""
    if not header.strip():
        return (signatures.MISSING,)
    if "testing_signature" in header:
        return (signatures.PLACEHOLDER,)
    sizes = {(key.key_size + 7) // 8 for key in keys}
    if sizes and not any(len(one.signature) in sizes for one in presented):
        return (signatures.UNREADABLE,)
    return ()
