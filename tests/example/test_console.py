"""The caller's console: real requests, each fault with its code, and everything that was signed."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask
from joserfc import jws
from joserfc.jwk import RSAKey

from example_app import create_app, instance
from example_app.records import PhoneMessage, records
from example_app.trial.console.faults import FAULTS
from flask_otp_mpp import Operation, SQLAlchemyStore, state_of
from flask_otp_mpp.signing import load_public_key, one_line
from flask_otp_mpp.signing.jwk_sets import jwk
from tests.example.console import ORIGIN, PROTOCOLS, SENDS, VERIFIES, Codes, Console, Page
from tests.wallet import key

ROOT = Path(__file__).parents[2]


def cases(table: Codes) -> list[tuple[str, str, list[str]]]:
    return [
        (protocol, fault, codes.split())
        for fault, row in table.items()
        for protocol, codes in zip(PROTOCOLS, row, strict=True)
        if codes is not None and fault != "burst"
    ]


def spaced(codes: list[str]) -> list[str]:
    """Return codes as words: ``HTTP 401`` is one code and two words."""
    return " ".join(codes).split()


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Make a wallet for many tests."""
    home = Path(shutil.copytree(template, tmp_path_factory.mktemp("shared") / "instance"))
    app = create_app(str(home))
    yield app
    store = state_of(app).store
    assert isinstance(store, SQLAlchemyStore)
    store.engine.dispose()
    app.extensions["records"].dispose()


@pytest.fixture
def console(shared: Flask) -> Console:
    """Open the console of a wallet in which nothing has happened yet."""
    with shared.app_context(), records() as session, session.begin():
        session.execute(sa.delete(PhoneMessage))
        for user in ("ada", "fred", "gwen", "nora"):
            state_of().support.forget(user)
    return Console(shared)


@pytest.fixture
def own(app: Flask) -> Console:
    """Open the console of a wallet of this one test."""
    return Console(app)


def test_the_tables_of_this_test_name_every_fault_with_all_its_protocols() -> None:
    for operation, table in ((Operation.SEND, SENDS), (Operation.VERIFY, VERIFIES)):
        expected = {
            fault: {one for one, codes in zip(PROTOCOLS, row, strict=True) if codes is not None}
            for fault, row in table.items()
        }
        offered = {
            fault.id: {one for one in PROTOCOLS if operation in fault.where.get(one, ())}
            for fault in FAULTS
        }
        assert expected == {fault: where for fault, where in offered.items() if where}


@pytest.mark.parametrize(("protocol", "fault", "codes"), cases(SENDS))
def test_a_fault_in_a_send_is_answered_with_its_code(
    console: Console, protocol: str, fault: str, codes: list[str]
) -> None:
    page = console.send(protocol, fault=fault)
    assert spaced(page.codes) == codes
    assert len(console.messages()) == (1 if codes[0] == "SUCCESS" else 0)
    assert_explained(page, protocol, fault)


@pytest.mark.parametrize(("protocol", "fault", "codes"), cases(VERIFIES))
def test_a_fault_in_an_attempt_is_answered_with_its_code(
    console: Console, protocol: str, fault: str, codes: list[str]
) -> None:
    sent = console.send(protocol)
    page = console.verify(sent, console.code(), fault=fault)
    assert spaced(page.codes) == ["SUCCESS", *codes]
    assert_explained(page, protocol, fault)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_burst_reaches_the_traffic_limit(console: Console, protocol: str) -> None:
    """And the wallet itself goes on: the limit is that of a second app."""
    page = console.send(protocol, fault="burst")
    assert " ".join(page.codes) == dict(zip(PROTOCOLS, SENDS["burst"], strict=True))[protocol]
    assert "Request 31 of the burst" in page.text
    assert_explained(page, protocol, "burst")
    assert console.messages() == []
    assert console.send(protocol).codes == ["SUCCESS"]


def assert_explained(page: Page, protocol: str, fault: str) -> None:
    """Check that a page says what was done, why, and where each code is explained."""
    (known,) = [one for one in FAULTS if one.id == fault]
    if fault != "none":
        assert known.does in page.text
        assert known.reason(protocol) in page.text
    guide = (ROOT / "docs/troubleshooting.md").read_text()
    headings = re.findall(r"^#+ (.*)$", guide, re.MULTILINE)
    sections = re.findall(r"docs/troubleshooting.md, “([^”]*)”", page.html)
    assert len(sections) == len(page.codes)
    assert all(any(one in re.split(", ", heading) for heading in headings) for one in sections)


def test_the_page_on_the_trial_names_the_code_of_each_fault() -> None:
    lines = (ROOT / "docs/trial.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    for fault in FAULTS[1:]:
        (named,) = (row for row in rows if row[0].startswith(fault.label.lower()))
        expected = SENDS.get(fault.id) or VERIFIES[fault.id]
        for told, codes in zip_longest(named[1:], expected, fillvalue=""):
            last = codes and codes.removeprefix("HTTP ").split()[-1]
            again = last == "SUCCESS" and told == "the first answer again"
            assert again or told == (last or ""), fault.id


def test_a_page_tells_the_event_and_what_the_store_knows(console: Console) -> None:
    sent = console.send("alipayplus")
    page = console.verify(sent, console.code(), fault="wrong-codes")
    assert "TRIES_SPENT" in page.text
    assert "reason CODE_UNMATCHED" in page.text
    assert "5 wrong codes since the last right one" in page.text
    assert "its tries are used up, 5 of 5 tries used" in page.text


def test_an_event_is_that_of_its_own_request(console: Console) -> None:
    """A request before it that ended otherwise leaves nothing on the page."""
    console.send("ams")
    page = console.send("ams", fault="stale-time")
    assert "signal otp_refused" in page.text
    assert "reason REQUEST_STALE" in page.text
    assert "otp_sent" not in page.text


@pytest.mark.parametrize(
    ("protocol", "form", "code"),
    [
        ("alipayplus", {"credential": "expired"}, "EXPIRED_ACCESS_TOKEN"),
        ("alipayplus", {"credential": "no-scope"}, "INVALID_TOKEN"),
        ("alipayplus", {"credential": "revoked"}, "INVALID_TOKEN"),
        ("alipayplus", {"credential": "foreign"}, "INVALID_TOKEN"),
        ("alipayplus", {"credential": "garbage"}, "INVALID_TOKEN"),
        ("alipayplus", {"user": "fred"}, "USER_STATUS_ABNORMAL"),
        ("alipayplus", {"user": "gwen"}, "USER_NOT_EXIST"),
        ("alipayplus", {"user": "nora", "channel": "EMAIL"}, "PARAM_ILLEGAL"),
        ("ams", {"user": "fred"}, "USER_STATUS_ABNORMAL"),
        ("ams", {"credential": "expired"}, "INVALID_ACCESS_TOKEN"),
        ("ams", {"client": "SANDBOX_5Y9T44C1VWMB004988"}, "SUCCESS"),
        ("google", {"credential": "association"}, "SUCCESS"),
        ("google", {"credential": "revoked"}, "INVALID_IDENTIFIER"),
        ("google", {"credential": "garbage"}, "INVALID_IDENTIFIER"),
        ("google", {"credential": "no-number"}, "INVALID_PHONE_NUMBER"),
        ("google", {"user": "gwen"}, "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"),
        ("google", {"user": "fred"}, "ACCOUNT_CLOSED_FRAUD"),
    ],
)
def test_a_choice_decides_the_code(
    console: Console, protocol: str, form: dict[str, str], code: str
) -> None:
    assert console.send(protocol, **form).codes == [code]


def test_a_code_of_one_merchant_is_worth_nothing_for_another(console: Console) -> None:
    first = console.send("ams")
    other = console.send("ams", client="SANDBOX_5Y9T44C1VWMB004988")
    codes = [message["text"].split()[0] for message in console.messages()]
    assert console.verify(first, codes[0]).codes[-1] == "VERIFY_UNMATCHED"
    assert console.verify(other, codes[0]).codes[-1] == "SUCCESS"


def test_a_repeated_send_sends_one_message(console: Console) -> None:
    page = console.send("google", fault="twice")
    assert "1 message went out" in page.text
    assert "No messages went out" in page.text
    assert "repeated yes" in page.text


@pytest.mark.parametrize(("protocol", "same"), [("alipayplus", True), ("ams", False)])
def test_a_repeat_has_the_same_bytes_unless_an_id_names_it(
    console: Console, protocol: str, same: bool
) -> None:
    first, second = console.send(protocol, fault="twice").texts("String-to-sign of the request")
    assert (first == second) is same
    assert first.partition("{")[2] == second.partition("{")[2]


def test_a_reset_ends_the_pause_between_two_sends(console: Console) -> None:
    console.send("alipayplus")
    refused = console.send("alipayplus")
    assert refused.codes == ["OTP_SEND_TIMES_EXCEED_LIMIT"]
    assert "Press “Reset this user”" in refused.html
    assert "A code may be sent now" in console.reset(protocol="alipayplus", user="ada").text
    assert console.send("alipayplus").codes == ["SUCCESS"]


# What was signed


@pytest.mark.parametrize("protocol", ["alipayplus", "ams"])
def test_the_string_that_is_shown_is_what_the_signatures_cover(
    own: Console, home: Path, protocol: str
) -> None:
    page = own.send(protocol)
    request, answer = page.texts("Headers")
    (asked,) = page.texts("String-to-sign of the request")
    (answered,) = page.texts("String-to-sign of the answer")
    owner = "merchant" if protocol == "ams" else "alipayplus"
    verify(home / f"{owner}.pub", request, asked)
    verify(home / "wallet.pub", answer, answered)
    with pytest.raises(InvalidSignature):
        verify(home / f"{owner}.pub", request, asked.replace("POST", "GET"))


def verify(key: Path, headers: str, text: str) -> None:
    """Check the signature that is shown among headers against a text that is shown."""
    found = re.search(r"^signature: .*signature=(\S+)$", headers, re.MULTILINE)
    assert found is not None
    signature = base64.b64decode(unquote(found[1]))
    covered = text.encode()
    load_public_key(str(key)).verify(signature, covered, padding.PKCS1v15(), hashes.SHA256())


def test_an_altered_body_shows_what_was_signed_and_what_was_checked(console: Console) -> None:
    page = console.send("alipayplus", fault="altered-body")
    (signed,) = page.texts("String-to-sign of the request")
    (checked,) = page.texts("What the wallet checked")
    assert checked == signed.replace("}", " }")


def test_the_layers_of_googles_messages_are_shown(own: Console, home: Path) -> None:
    """Content, signature and encryption, of both sides; the signature in it is the signer's."""
    page = own.send("google")
    request, answer = (json.loads(one) for one in page.texts("Decrypted content"))
    assert request["accountPhoneNumber"] == "+639175550101"
    assert answer["result"] == "SUCCESS"
    tokens = page.texts("JWS: the signature")
    for token, owner in zip(tokens, ("google", "wallet"), strict=True):
        keys = json.loads((home / f"{owner}.pub.jwks").read_text())["keys"]
        (key,) = (RSAKey.import_key(one) for one in keys if one["use"] == "sig")
        assert json.loads(jws.deserialize_compact(token, key).payload) in (request, answer)
    assert page.texts("JWE: the encryption") == page.texts("Body")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_signature_of_another_key_is_said_not_to_hold(
    own: Console, home: Path, protocol: str
) -> None:
    """The check is a real one, by the wallet's public key in the instance folder."""
    assert "signature holds" in own.send(protocol).text
    assert "not hold" not in own.get().text
    other = key("unrelated")
    (home / "wallet.pub").write_text(one_line(other.public_key()))
    keys = json.loads((home / "wallet.pub.jwks").read_text())["keys"]
    for one in keys:
        if one["use"] == "sig":
            one["n"] = jwk(other, one["kid"], "sig")["n"]
    (home / "wallet.pub.jwks").write_text(json.dumps({"keys": keys}))
    page = own.send(protocol)
    assert "✗ signature does not hold" in page.text
    assert "✓" not in page.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_private_key_or_secret_is_on_a_page(own: Console, home: Path, protocol: str) -> None:
    page = own.verify(own.send(protocol), own.code(), fault="wrong-codes")
    for name in ("wallet.pem", "alipayplus.pem", "merchant.pem"):
        body = (home / name).read_text().splitlines()[1:-1]
        assert not any(line in page.html for line in body if len(line) > 20)
    for name in ("wallet.jwks", "google.jwks"):
        for one in json.loads((home / name).read_text())["keys"]:
            assert not any(one[part] in page.html for part in ("d", "p", "q", "dp", "dq", "qi"))
    for secret in ("OTP_MPP_PEPPER", "ACCESS_TOKEN_SECRET"):
        assert own.app.config[secret] not in page.html


# The page


def test_a_form_of_another_site_sends_nothing(console: Console) -> None:
    for headers in ({}, {"Origin": "https://attacker.example"}):
        answer = console.app.test_client().post("/console/send", data={}, headers=headers)
        assert answer.status_code == 403
    assert console.messages() == []


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "nonsense"])
def test_what_is_not_offered_is_the_first_that_is(console: Console, protocol: str) -> None:
    page = console.send(protocol, user="nobody", client="x", credential="?", fault="?", channel="")
    assert page.codes == ["SUCCESS"]


def test_a_loaded_page_repeats_no_request(console: Console) -> None:
    """A press of a button leads to a page that can be loaded again."""
    sent = console.send("ams")
    again = console.get(run=sent.run)
    assert again.codes == sent.codes == ["SUCCESS"]
    assert len(console.messages()) == 1


def test_a_run_that_is_not_known_is_said_to_be(console: Console) -> None:
    assert "This run is not known any more" in console.get(run="gone").text
    form = {"run": "gone", "code": "123456"}
    answer = console.app.test_client().post(
        "/console/verify", data=form, headers={"Origin": ORIGIN}, follow_redirects=True
    )
    assert "This run is not known any more" in answer.text


def test_a_protocol_without_a_client_to_play_says_so(own: Console, home: Path) -> None:
    """The settings are the user's to change; the console has the keys of the first clients only."""
    config = (home / "config.py").read_text().replace(instance.CLIENT_ID, "SANDBOX_mine")
    (home / "config.py").write_text(config)
    console = Console(create_app(str(home)))
    assert "there is nobody to play" in console.get().text
    assert "there is nobody to play" in console.send("alipayplus").text
    assert console.send("ams").codes == ["SUCCESS"]


def test_what_a_user_typed_is_text_on_the_page(console: Console) -> None:
    page = console.verify(console.send("google"), "<script>1</script>", fault="wrong-codes")
    assert "<script>1" not in page.response.text


def test_a_code_that_is_no_number_is_presented_as_it_is(console: Console) -> None:
    assert console.verify(console.send("ams"), "12a").codes[-1] == "PARAM_ILLEGAL"
