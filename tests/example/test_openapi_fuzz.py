"""Schemathesis calls the example wallet with what its OpenAPI document allows, and what it forbids.

It makes the requests from the document alone, at the edges of each rule and at random; all of them
are the same in each run. ``tests/web/test_openapi.py`` compares the document with the tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from example_app import create_app, instance
from flask_otp_mpp import SQLAlchemyStore, state_of
from tests.commands import run

pytestmark = pytest.mark.slow  # the tools take a second to import

MERCHANT = "MERCHANT_5X00000000000000"
"""One in production; the example wallet itself knows one of the sandbox only."""


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    public = {"1": str(home / "merchant.pub")}
    clients = dict.fromkeys((MERCHANT, instance.MERCHANT_ID), public)
    monkeypatch.setenv("FLASK_OTP_MPP_AMS_CLIENTS", json.dumps(clients))
    monkeypatch.setenv("FLASK_TESTING", "true")  # so that one in production may have TRIAL_ tokens
    app = create_app(str(home))
    yield app
    store = state_of(app).store
    assert isinstance(store, SQLAlchemyStore)
    store.engine.dispose()


@pytest.fixture
def document(served: Flask) -> dict[str, Any]:
    return dict(json.loads(run(served, "openapi").stdout))


def test_the_document_is_what_openapi_demands(document: dict[str, Any]) -> None:
    """O4: it is valid by OpenAPI 3.1, its schemas by JSON Schema 2020-12."""
    from openapi_spec_validator import (  # noqa: PLC0415 - it takes a second
        OpenAPIV31SpecValidator,
    )

    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_each_answer_is_signed_and_what_the_document_says(
    served: Flask, home: Path, document: dict[str, Any]
) -> None:
    """F6, G9: what a schema forbids is refused, and nothing else; there is no unforeseen error."""
    from tests.example.fuzzed import REFUSALS, Run  # noqa: PLC0415 - it takes a second

    fuzz = Run(served, home, document, MERCHANT)
    found = fuzz.play()
    assert not found, "\n\n".join(found)
    paths = set(document["paths"])
    refused, accepted = Counter[str](), Counter[str]()
    for (path, code), times in fuzz.proven.items():
        (refused if code in REFUSALS else accepted)[path] += times
    assert {path for path in paths if min(refused[path], accepted[path]) >= 10} == paths
    assert {path for path, _ in fuzz.unproven} == paths
    assert sum(times for (_, code), times in fuzz.proven.items() if code == "SUCCESS") >= 10
