"""The peer ``floor``: the least that sendOTP and verifyOTP can cost in Flask.

Written by hand: keys are loaded once, and each step is one statement. A commit is as durable as the
package's: on SQLite it waits for the disk. That is the only guarantee.
There are no send limits, no user lock, no stored answers, no traffic limits, no hooks, and no error
handling. Do not serve this.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, request

from benchmarks.floor_stores import open_store

SEND, VERIFY = "/aps/api/v1/users/sendOTP", "/aps/api/v1/users/verifyOTP"
_PADDING, _SHA256 = padding.PKCS1v15(), hashes.SHA256()
_SECRET: Final = b"k" * 32
_SIGNATURE: Final = re.compile(r"algorithm=RSA256, *keyVersion=(\w+), *signature=(\S+)$")
_SEND_FIELDS = (("acquirerId", 64), ("pspId", 64), ("accessToken", 128))
_VERIFY_FIELDS = (*_SEND_FIELDS, ("verifyRequestId", 64), ("otpCode", 32))
_MESSAGES: Final = {
    "SUCCESS": ("S", "Success"),
    "INVALID_SIGNATURE": ("F", "The signature is invalid."),
    "PARAM_ILLEGAL": ("F", "Illegal parameters."),
    "INVALID_TOKEN": ("F", "The access token is invalid."),
    "KEY_NOT_FOUND": ("F", "The key is not found."),
    "OTP_VERIFY_UNMATCHED": ("F", "The OTP code is invalid."),
    "VERIFY_REQUEST_ID_INVALID": ("F", "The verifyRequestId is invalid."),
}
_BODIES: Final = {
    code: json.dumps(
        {"result": {"resultCode": code, "resultStatus": status, "resultMessage": message}},
        separators=(",", ":"),
    ).encode()
    for code, (status, message) in _MESSAGES.items()
}
_SENT: Final = _BODIES["SUCCESS"][:-1] + b',"verifyRequestId":"%s"}'


def create_app(settings: Mapping[str, str] = os.environ) -> Flask:
    """Make the app; BENCH_STORE is a URL, BENCH_KEYS a folder, BENCH_CODE everybody's code."""
    keys = Path(settings["BENCH_KEYS"])
    own = serialization.load_pem_private_key((keys / "wallet.pem").read_bytes(), None)
    assert isinstance(own, rsa.RSAPrivateKey)
    theirs = serialization.load_pem_public_key((keys / "caller.pub.pem").read_bytes())
    assert isinstance(theirs, rsa.RSAPublicKey)
    clients = {(settings["BENCH_CLIENT"], "1"): theirs}
    fixed = settings.get("BENCH_CODE")
    store = open_store(settings["BENCH_STORE"])

    def digest(challenge: str, code: str) -> bytes:
        return hmac.digest(_SECRET, f"{challenge}:{code}".encode(), "sha256")

    def work(path: str, client: str, body: bytes) -> bytes:
        found = _SIGNATURE.match(request.headers.get("Signature", ""))
        key = clients.get((client, found[1])) if found else None
        if found is None or key is None:
            return _BODIES["KEY_NOT_FOUND"]
        moment = request.headers.get("Request-Time", "")
        signed = f"POST {path}\n{client}.{moment}.".encode() + body
        try:
            key.verify(base64.b64decode(unquote(found[2])), signed, _PADDING, _SHA256)
        except (InvalidSignature, ValueError):
            return _BODIES["INVALID_SIGNATURE"]
        try:
            fields = json.loads(body)
        except ValueError:
            return _BODIES["PARAM_ILLEGAL"]
        for name, longest in _VERIFY_FIELDS if path is VERIFY else _SEND_FIELDS:
            value = fields.get(name)
            if type(value) is not str or not 0 < len(value) <= longest:
                return _BODIES["PARAM_ILLEGAL"]
        now = int(time.time() * 1000)
        if path is SEND:
            challenge = secrets.token_hex(16)
            code = fixed or f"{secrets.randbelow(1_000_000):06d}"
            if not store.put(fields["accessToken"], challenge, digest(challenge, code), now):
                return _BODIES["INVALID_TOKEN"]
            return _SENT % challenge.encode()
        challenge = fields["verifyRequestId"]
        tried = digest(challenge, fields["otpCode"])
        return _BODIES[store.check(fields["accessToken"], challenge, tried, now)]

    def answer(path: str) -> Response:
        client = request.headers.get("Client-Id", "")
        body = work(path, client, request.get_data(cache=False))
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        signed = f"POST {path}\n{client}.{moment}.".encode() + body
        text = base64.b64encode(own.sign(signed, _PADDING, _SHA256)).decode()
        quoted = text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        return Response(
            body,
            headers=[
                ("Content-Type", "application/json; charset=UTF-8"),
                ("Client-Id", client),
                ("Response-Time", moment),
                ("Signature", f"algorithm=RSA256, keyVersion=1, signature={quoted}"),
            ],
        )

    app = Flask(__name__)
    app.add_url_rule(SEND, "send", lambda: answer(SEND), methods=["POST"])
    app.add_url_rule(VERIFY, "verify", lambda: answer(VERIFY), methods=["POST"])
    return app
