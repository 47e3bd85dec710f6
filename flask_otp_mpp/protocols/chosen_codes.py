"""Read which codes a host has chosen, where a protocol's documents can be read in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from flask_otp_mpp.core.readers import Reader, Unreadable, mapping
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.settings import advice_on
from flask_otp_mpp.protocols.values import CodeRow

Codes: TypeAlias = Mapping[Reason, CodeRow]
"""Which row of a protocol's table answers each reason; total."""


def codes_reader(
    usual: Codes,
    choices_of: Callable[[Reason], Mapping[str, CodeRow]],
    check: Callable[[Codes], str] = lambda codes: "",
) -> Reader[Codes]:
    """Return a reader of a mapping of the names of reasons to codes.

    :param usual: what is taken where nothing is chosen.
    :param choices_of: returns the rows that a reason may have, by their code.
    :param check: returns what is wrong with all codes together; empty if nothing is.
    """

    def parse(raw: object) -> Codes:
        codes = dict(usual)
        if raw is None or raw == {}:
            return codes
        findings = []
        for name, code in mapping(raw, "{reason: code}").items():
            reason = Reason.__members__.get(name)
            if reason is None:
                findings.append(f"{name!r} is no reason; {advice_on(name, Reason.__members__)}")
                continue
            choices = choices_of(reason)
            if isinstance(code, str) and code in choices:
                codes[reason] = choices[code]
            elif choices:
                findings.append(f"{name!r}: set it to one of {', '.join(choices)}")
            else:
                findings.append(f"{name!r} has no code that could be another one; remove it")
        if fault := check(codes):
            findings.append(fault)
        if findings:
            raise Unreadable(findings, codes)
        return codes

    return Reader("a mapping of reason to code", parse)
