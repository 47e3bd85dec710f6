"""What is signed in the messages of Alipay+ and AMS, and whether an answer's signature holds."""

from __future__ import annotations

from example_app.trial.console.exchange import Layer, Message, Proof, indented
from flask_otp_mpp.callers import Call, SignedAnswer

_REQUEST_NOTE = (
    "The caller signs this text with its private key: RSA, SHA-256. It is the method and the path; "
    "then client, time and body, joined with dots."
)
_CHECKED_NOTE = (
    "The wallet puts this text together from what has arrived. It differs from what was signed, so "
    "the signature does not match it."
)
_ANSWER_NOTE = (
    "The wallet signs this text with its own key: the caller's method and path; then client, time "
    "of the answer and body."
)


def request_of(answer: SignedAnswer) -> Message:
    """Return the request of an answer, with the string that was signed."""
    call = answer.call
    layers = [Layer("String-to-sign of the request", _REQUEST_NOTE, answer.string_to_sign)]
    checked = string_to_sign(call, dict(call.headers), "request-time", call.body)
    if checked != answer.string_to_sign:
        layers.append(Layer("What the wallet checked", _CHECKED_NOTE, checked))
    headers = list(call.headers.items())
    return Message(f"{call.method} {call.uri}", headers, indented(call.body), layers)


def answer_of(answer: SignedAnswer) -> Message:
    """Return the answer, with the string that the wallet has signed."""
    response = answer.response
    headers = {name.lower(): value for name, value in response.headers}
    signed = string_to_sign(answer.call, headers, "response-time", response.body)
    return Message(
        f"HTTP {response.status}",
        list(response.headers),
        indented(response.body),
        [Layer("String-to-sign of the answer", _ANSWER_NOTE, signed)] if response.body else [],
    )


def proof_of(answer: SignedAnswer) -> Proof:
    """Tell whether the wallet's public key says that the answer is the wallet's."""
    if answer.verified:
        return Proof(holds=True, says="The answer's signature holds, by the wallet's public key.")
    return Proof(
        holds=False, says="The answer's signature does not hold, by the wallet's public key."
    )


def string_to_sign(call: Call, headers: dict[str, str], time: str, body: bytes) -> str:
    """Return the text that a signature of a message covers.

    :param headers: of the message, by lower-case name.
    :param time: the name of the header with the time of the message.
    """
    client, moment = headers.get("client-id", ""), headers.get(time, "")
    return f"{call.method} {call.uri}\n{client}.{moment}.{body.decode(errors='replace')}"
