"""A secret shows itself to nobody but the expression that reveals it."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flask_otp_mpp.core.secret import Secret, clear_frames, cleared_frames
from flask_otp_mpp.core.users import AccessToken, PhoneNumber

CANARY = "canary-4711"


@pytest.mark.parametrize("secret", [Secret(CANARY), Secret(CANARY.encode()), AccessToken(CANARY)])
def test_no_way_to_write_a_secret_shows_it(secret: Secret[Any]) -> None:
    """X7: repr, str, formatting, and what a container writes of its members."""
    written = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        "".join(map(str, [secret, [secret]])),
    ]
    written += [repr([secret]), repr({"code": secret}), f"{secret!r} {secret!s} {secret}"]
    assert secret.reveal() in (CANARY, CANARY.encode())
    assert "canary" not in "".join(written)
    assert type(secret).__name__ in repr(secret)


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy, vars, hash])
def test_a_secret_is_not_copied_elsewhere(write: Callable[[object], object]) -> None:
    """X7: a queue, a cache or a session that is given one by mistake fails at once."""
    with pytest.raises(TypeError) as refused:
        write(Secret(CANARY))
    assert "canary" not in str(refused.value)


def test_secrets_are_compared_by_type_and_value() -> None:
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(b"\xff") == Secret(b"\xff")
    assert Secret("\ud800é") == Secret("\ud800é")
    assert Secret(CANARY) != Secret(CANARY + "x")
    assert Secret[object](CANARY) != CANARY
    assert AccessToken(CANARY) != PhoneNumber(CANARY)
    held = Secret(object())
    assert held == held  # noqa: PLR0124 - of other objects each is equal to itself only
    assert held != Secret(held.reveal())


def test_an_empty_secret_is_false() -> None:
    assert (bool(Secret("")), bool(Secret("x"))) == (False, True)


def _read(plain: str) -> None:
    inner = [plain]
    raise KeyError(len(inner))


def test_frames_that_an_exception_has_left_hold_nothing() -> None:
    """X7: file, line and function stay, and so do the exception and its cause."""

    def decode(plain: str) -> None:
        try:
            _read(plain)
        except KeyError as cause:
            raise RuntimeError("failed") from cause

    with pytest.raises(RuntimeError) as raised, cleared_frames():
        decode(CANARY)
    names = []
    for error in (raised.value, raised.value.__cause__):
        assert error is not None
        link = error.__traceback__
        while link is not None:
            names.append(link.tb_frame.f_code.co_name)
            if link.tb_frame is not sys._getframe():
                assert "canary" not in repr(link.tb_frame.f_locals)
            link = link.tb_next
    assert {"decode", "_read"} <= set(names)


def test_exceptions_that_name_one_another_as_cause_are_cleared_once() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    clear_frames(one)
    assert gc.is_tracked(one)
