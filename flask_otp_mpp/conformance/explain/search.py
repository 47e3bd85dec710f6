"""Look for the string that was signed, among the right one and those that mistakes make of it."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.explain.base import Context, Mistake, StringMistake, joined
from flask_otp_mpp.conformance.explain.mistakes import STRING_MISTAKES
from flask_otp_mpp.conformance.explain.recover import Recovered
from flask_otp_mpp.conformance.explain.string_to_sign import StringToSign, assemble

_PAIRS_UP_TO: Final = 16 * 1024
"""Bytes of a body up to which pairs of mistakes are tried, and those with very many variants: each
string hashes all of it."""
_MISTAKES_UP_TO: Final = 256 * 1024
"""Bytes of a body up to which mistakes in the string are tried at all."""


def _too_large(size: int) -> str:
    return f"the body has more than {size} bytes"


class Search:
    """Look for the string that was signed: the right one, each mistake in it, each pair of them.

    :ivar strings: how many were compared.
    """

    def __init__(self, expected: StringToSign, context: Context, recovered: Recovered) -> None:
        self.expected = expected
        self.recovered = recovered
        self.strings = 0
        self.notes: tuple[str, ...] = ()
        self._context = context

    def run(self) -> tuple[StringToSign, tuple[Mistake, ...]] | None:
        """Return the string and its mistakes; None if none of them was signed."""
        if self._matches(self.expected):
            return self.expected, ()
        size = len(self.expected.body)
        if size > _MISTAKES_UP_TO:
            self.notes = (f"Mistakes in the string were not tried: {_too_large(_MISTAKES_UP_TO)}.",)
            return None
        singles: list[tuple[StringMistake, StringToSign]] = []
        seen = {self.expected}
        for mistake in sorted(STRING_MISTAKES, key=lambda one: one.alone):  # they cost the most
            if mistake.alone and size > _PAIRS_UP_TO:
                continue
            for one in mistake.variants(self.expected, self._context):
                if one in seen:
                    continue
                seen.add(one)
                if self._matches(one):
                    return one, (mistake,)
                if not mistake.alone:
                    singles.append((mistake, one))
        if size > _PAIRS_UP_TO:
            self.notes = (f"Pairs of mistakes were not tried: {_too_large(_PAIRS_UP_TO)}.",)
            return None
        return self._pairs(singles)

    def _pairs(
        self, singles: list[tuple[StringMistake, StringToSign]]
    ) -> tuple[StringToSign, tuple[Mistake, ...]] | None:
        for mistake, one in singles:
            for second in STRING_MISTAKES:
                if 0 < mistake.step < second.step:
                    for both in second.variants(one, self._context):
                        if self._matches(both):
                            return both, (mistake, second)
        right = self.expected.pieces()
        changed = [one.pieces()[mistake.part] for mistake, one in singles]
        for index, (mistake, one) in enumerate(singles):
            with_one = {**right, mistake.part: changed[index]}
            for place in range(index + 1, len(singles)):
                second, other = singles[place]
                if second.part is not mistake.part:
                    self.strings += 1
                    data = assemble({**with_one, second.part: changed[place]})
                    if self.recovered.matches(data):
                        return joined(one, other, second.part), (mistake, second)
        return None

    def _matches(self, string: StringToSign) -> bool:
        self.strings += 1
        return self.recovered.matches(string.data)
