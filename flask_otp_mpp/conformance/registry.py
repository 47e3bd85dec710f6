"""All cases of the kit, and the side that plays the cases of a protocol."""

from __future__ import annotations

from flask_otp_mpp.conformance.case import SIGNED, AnyCase, Wire
from flask_otp_mpp.conformance.google import cases
from flask_otp_mpp.conformance.google.play import GooglePlay
from flask_otp_mpp.conformance.play import AnyPlay, Bench
from flask_otp_mpp.conformance.signed import (
    algorithms,
    answer_contents,
    answer_headers,
    answers,
    bodies,
    codes,
    fields,
    floods,
    happy_path,
    headers,
    isolation,
    keys,
    libraries,
    life,
    limits_apart,
    races,
    repeated_ids,
    repeats,
    sends,
    signature,
    signature_forms,
    times,
    transport,
    users,
    values,
)
from flask_otp_mpp.conformance.signed.play import SignedPlay

MODULES = (
    happy_path.CASES,
    signature.CASES,
    algorithms.CASES,
    signature_forms.CASES,
    keys.CASES,
    headers.CASES,
    libraries.CASES,
    times.CASES,
    transport.CASES,
    bodies.CASES,
    fields.CASES,
    values.CASES,
    users.CASES,
    codes.CASES,
    life.CASES,
    sends.CASES,
    repeats.CASES,
    repeated_ids.CASES,
    races.CASES,
    isolation.CASES,
    limits_apart.CASES,
    answers.CASES,
    answer_headers.CASES,
    answer_contents.CASES,
    floods.CASES,
    *cases.MODULES,
)
"""The lists of cases; the order of their groups is that of a report."""


def cases_of(wire: Wire) -> list[AnyCase]:
    """Return the cases that are played for a protocol."""
    return [case for cases in MODULES for case in cases if wire in case.wires]


def play_of(bench: Bench, case: AnyCase) -> AnyPlay:
    """Return what a case plays with."""
    if bench.target.wire in SIGNED:
        return SignedPlay(bench, case)
    return GooglePlay(bench, case)
