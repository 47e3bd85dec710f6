"""No report shows a credential or a code, however it is spelled in what was sent."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from flask_otp_mpp.conformance.masking import Mask

TOKEN = 'tok a/b+c="é€😀'
CODE = "048213"
MASK = Mask({TOKEN: "<user 1>", CODE: "<code>", "tok-user1": "<one>", "tok-user12": "<twelve>"})
SPELLINGS = {
    "as it is": TOKEN,
    "percent-encoded": quote(TOKEN, safe=""),
    "percent-encoded but for slashes": quote(TOKEN),
    "percent-encoded in lower case": quote(TOKEN, safe="").lower(),
    "in a form": quote_plus(TOKEN),
    "percent-encoded as a whole": "".join(f"%{byte:02X}" for byte in TOKEN.encode()),
    "in JSON": json.dumps(TOKEN)[1:-1],
    "in JSON without escapes": json.dumps(TOKEN, ensure_ascii=False)[1:-1],
    "in JSON with slashes escaped": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "escaped in HTML": html.escape(TOKEN),
}
CODES = {
    "as it is": CODE,
    "escaped in JSON": "".join(f"\\u{ord(one):04x}" for one in CODE),
    "in wide digits": CODE.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
    "in Arabic digits, escaped": "".join(f"\\u{0x660 + int(one):04X}" for one in CODE),
    "in part percent-encoded": f"{CODE[:2]}%{ord(CODE[2]):x}{CODE[3:]}",
    "beside other digits": CODE,
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_token_is_hidden_in_each_spelling(spelled: str) -> None:
    assert MASK(f"?a={spelled}&b") == "?a=<user 1>&b"


@pytest.mark.parametrize("spelled", CODES.values(), ids=CODES)
def test_a_code_is_hidden_in_each_spelling(spelled: str) -> None:
    assert MASK(f"9{spelled}9") == "9<code>9"


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("secret", [TOKEN, CODE])
def test_base64_of_a_payload_does_not_show_what_is_in_it(before: int, secret: str) -> None:
    payload = b'{"a":"' + b"x" * before + secret.encode() + b'"}'
    for encoded in (base64.b64encode(payload), base64.urlsafe_b64encode(payload)):
        shown = MASK(encoded.decode())
        assert "<code>" in shown or "<user 1>" in shown
        assert len(shown) < len(encoded)


def test_of_two_secrets_the_longer_one_is_meant() -> None:
    assert MASK("tok-user12 tok-user1 tok-user") == "<twelve> <one> tok-user"


def test_what_is_no_secret_stays_as_it_is() -> None:
    text = "%zz \\u12 &amp; 12345 é ½ %C3 + tok-use"
    assert MASK(text) == text
    assert Mask({})(text) == text
    assert Mask({"": "<empty>"})(text) == text
