"""The OpenAPI document says what the app serves.

That the app does what the document says is shown by ``tests/example/test_openapi_fuzz.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import AlipayPlus, Ams, GoogleStandardPayments, Operation
from flask_otp_mpp.conformance.google import dialect as google_kit
from flask_otp_mpp.conformance.signed.dialect import ALIPAYPLUS, AMS, Api, Dialect
from flask_otp_mpp.protocols.alipay import alipayplus_codes, ams_codes
from flask_otp_mpp.protocols.alipay.codes import Table
from flask_otp_mpp.signing.keys import one_line
from tests.ams import MERCHANT, SANDBOXED, open_shop
from tests.commands import run
from tests.protocols.google import sides
from tests.wallet import Wallet, key
from tests.web.google_wallet import GoogleWallet, open_google

Json = dict[str, Any]
MakeWallet = Callable[..., Wallet]
SIGNED = [("alipayplus", ALIPAYPLUS, alipayplus_codes.TABLE), ("ams", AMS, ams_codes.TABLE)]
APIS = [(name, kit, api) for name, kit, _ in SIGNED for api in Api]


def printed(app: Flask, *options: str) -> Json:
    result = run(app, "openapi", *options)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def all_three(**changed: Any) -> GoogleWallet:
    public = one_line(key("merchant").public_key())
    clients = {name: {"1": public} for name in (MERCHANT, SANDBOXED)}
    protocols = (AlipayPlus, Ams, GoogleStandardPayments)
    return open_google(protocols=protocols, OTP_MPP_AMS_CLIENTS=clients, **changed)


@pytest.fixture(scope="module")
def document() -> Iterator[Json]:
    wallet = all_three()
    yield printed(wallet.app)
    wallet.close()


def schemas_of(document: Json) -> Json:
    return dict(document["components"]["schemas"])


def parts(value: Any) -> Iterator[Json]:
    """Return every object of a document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from parts(inner)


def test_the_document_is_whole(document: Json) -> None:
    """O4: each reference leads somewhere, no component is left over, no name stands twice."""
    used = {part["$ref"] for part in parts(document) if "$ref" in part}
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
    }
    assert used == there
    operations = [item["post"] for item in document["paths"].values()]
    assert len({one["operationId"] for one in operations}) == len(operations) == 9
    assert all(answer["description"] for one in operations for answer in one["responses"].values())
    assert all(re.fullmatch("[a-zA-Z0-9._-]+", ref.rpartition("/")[2]) for ref in used)
    assert document["openapi"] == "3.1.0"


def test_each_pattern_can_be_compiled_by_a_gateway(document: Json) -> None:
    """O4: the regular expressions of Go and Rust know neither surrogates nor a class of nothing."""
    patterns = {part["pattern"] for part in parts(document) if "pattern" in part}
    assert r"^[^\x00-\x1f\x7f-\x9f]*$" in patterns
    assert [one for one in patterns if r"\u" in one or "[^]" in one] == []


def test_the_document_is_the_same_each_time(document: Json) -> None:
    """O4: it can be kept under version control, and a difference tells of a change."""
    wallet = all_three()
    assert run(wallet.app, "openapi").stdout == json.dumps(document, indent=2) + "\n"
    wallet.close()


def test_the_paths_are_those_that_callers_call() -> None:
    """G11: the public prefix, where a proxy rewrites paths; each account of Google has its own."""
    accounts = {name: {"envelope": "plain", "paths": f"/{name}"} for name in ("one", "two")}
    wallet = all_three(
        accounts=accounts,
        OTP_MPP_AMS_PUBLIC_PREFIX="/shop",
        OTP_MPP_ALIPAYPLUS_SEND_PATH="/send",
    )
    public = {"/ams/api/v1/users": "/shop"}
    served = [
        (prefix, path)
        for rule in wallet.app.url_map.iter_rules()
        for prefix, _, path in [rule.rule.rpartition("/")]
        if rule.endpoint.rpartition(".")[2] in set(Operation)
    ]
    paths = printed(wallet.app)["paths"].keys()
    assert paths == {f"{public.get(prefix, prefix)}/{path}" for prefix, path in served}
    assert {"/shop/initAuthentication", "/aps/api/v1/users/send", "/google/two/echo"} < paths
    wallet.close()


@pytest.mark.parametrize(("name", "kit", "api"), APIS)
def test_each_field_of_the_kits_own_table_is_described(
    document: Json, name: str, kit: Dialect, api: Api
) -> None:
    """F6: the kit's table was copied from the documents, not from the server."""
    schema = schemas_of(document)[f"{name}_{api}_request"]
    assert schema["properties"].keys() == {one.name for one in kit.fields[api]}
    assert set(schema["required"]) == {one.name for one in kit.fields[api] if one.required}
    for one in kit.fields[api]:
        described = schema["properties"][one.name]
        values = [value for value in described.get("enum", []) if value is not None]
        assert values == list(one.values)
        assert values or described["maxLength"] == one.longest
        assert described["description"].endswith(".")


@pytest.mark.parametrize(("name", "kit", "table"), SIGNED)
def test_the_result_codes_are_those_of_the_table_and_no_others(
    document: Json, name: str, kit: Dialect, table: Table
) -> None:
    """O5: for each operation, with status and message."""
    listed = set()
    for api in Api:
        result = schemas_of(document)[f"{name}_{api}_response"]["properties"]["result"]
        code = result["properties"]["resultCode"]
        rows = [row for row in table.values() if api.value in row.operations]
        assert code["enum"] == [row.code for row in rows]
        assert all(
            f"`{row.code}` ({row.status}): {row.message}" in code["description"] for row in rows
        )
        listed |= set(code["enum"])
    assert listed == table.keys()
    documented = [codes[0] for codes in kit.codes.values()]
    assert set(documented) <= listed


def test_the_results_and_errors_of_google_are_those_of_its_tables(document: Json) -> None:
    """O5: the kit's tables were copied from the documents, not from the server."""
    errors = schemas_of(document)["google_error"]["properties"]["errorResponseCode"]["enum"]
    assert set(errors) == {code for _, code in google_kit.ERRORS.values()}
    results = {
        operation: set(
            schemas_of(document)[f"google_{operation}_response"]["properties"]["result"]["enum"]
        )
        for operation in ("send", "verify")
    }
    assert results["verify"] == google_kit.VERIFY_RESULTS
    assert results["send"] | results["verify"] == set(google_kit.RESULTS.values())
    statuses = {status for status, _ in google_kit.ERRORS.values()} | {
        *google_kit.STATUSES.values()
    }
    post = document["paths"]["/google/v1/sendOtp"]["post"]
    assert post["responses"].keys() == {"200", "503", *map(str, statuses)}


def test_results_that_were_agreed_with_google_are_listed() -> None:
    """O5: what a hook may name for a send."""
    wallet = open_google(OTP_MPP_GOOGLE_SEND_RESULTS=["ACCOUNT_ON_HOLD"])
    response = schemas_of(printed(wallet.app))["google_send_response"]
    assert response["properties"]["result"]["enum"][-1] == "ACCOUNT_ON_HOLD"
    wallet.close()


@pytest.mark.parametrize(("errors", "content"), [("empty", False), ("sealed", True)])
def test_the_document_says_which_errors_have_a_body(errors: str, content: bool) -> None:
    """G9: an account with sealed errors has one for each status."""
    wallet = open_google(accounts={"gpay": {"envelope": "plain", "errors": errors}})
    post = printed(wallet.app)["paths"]["/google/v1/echo"]["post"]
    assert ("content" in post["responses"]["409"]) is content
    assert "content" in post["responses"]["412"]
    wallet.close()


def test_the_document_says_that_the_body_is_sealed() -> None:
    """O4: the media type is that on the wire, the schema that of the JSON inside."""
    wallet = open_google(accounts={"gpay": sides.jose_wallet()}, testing=False)
    post = printed(wallet.app)["paths"]["/google/v1/verifyOtp"]["post"]
    schema = {"$ref": "#/components/schemas/google_verify_request"}
    assert post["requestBody"]["content"] == {"application/jose": {"schema": schema}}
    assert "The body on the wire is sealed" in post["description"]
    wallet.close()


def test_ams_writes_booleans_as_its_setting_says(make_wallet: MakeWallet) -> None:
    """O4: isPassed is a text by default, and JSON's Boolean if the setting says so."""
    found = [
        schemas_of(printed(shop.wallet.app))["ams_verify_response"]["properties"]["isPassed"]
        for written in ("string", "json")
        for shop in [open_shop(make_wallet, OTP_MPP_AMS_BOOLEANS=written)]
    ]
    assert [(one["type"], one["enum"]) for one in found] == [
        ("string", ["true"]),
        ("boolean", [True, False]),
    ]


def test_one_protocol_can_be_asked_for(wallet: Wallet) -> None:
    """O4: with the servers that are given; an app that does not serve it has no document."""
    found = printed(wallet.app, "--protocol", "alipayplus", "--server", "https://wallet.example")
    assert found["servers"] == [{"url": "https://wallet.example"}]
    assert [tag["name"] for tag in found["tags"]] == ["Alipay+"]
    assert printed(wallet.app)["servers"] == [{"url": "/"}]
    refused = run(wallet.app, "openapi", "--protocol", "google")
    assert refused.exit_code == 1
    assert "this app does not serve google; pass its class to OtpMpp" in refused.output


def test_the_headers_of_an_answer_are_those_of_the_document(wallet: Wallet) -> None:
    """G9: those that HTTP needs for the body are not among them, as OpenAPI wants it."""
    post = printed(wallet.app)["paths"]["/aps/api/v1/users/sendOTP"]["post"]
    answer = wallet.send()
    told = {name.lower() for name, _ in answer.response.headers}
    documented = {name.lower() for name in post["responses"]["200"]["headers"]}
    assert told == documented | {"content-type", "content-length"}
