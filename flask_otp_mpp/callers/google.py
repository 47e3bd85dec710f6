"""A caller for trials that plays Google: sendOtp, verifyOtp and echo of Standard Payments."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from flask_otp_mpp.callers.google_answer import GoogleAnswer
from flask_otp_mpp.callers.google_faults import (
    Tamper,
    after_sealing,
    before_sealing,
    impersonate,
)
from flask_otp_mpp.callers.transport import Call, Transport
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.protocols.google.accounts import Account, open_sealers
from flask_otp_mpp.protocols.google.sealer import Opened, Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts

PREFIX: Final = "/google/v1"
MATCHING: Final = "AB12345678C"
"""The smsMatchingToken of Google's samples."""

_NAME: Final = "google"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class GoogleCaller:
    """Call sendOtp, verifyOtp and echo as Google does; :meth:`from_account` makes one.

    :param transport: sends the HTTP requests: ``over_wsgi(app)`` or ``over_http(url)``.
    :param sealer: seals requests and opens answers, by the keys of Google's side.
    :param impostor: seals the requests with ``tamper="signature"``, by a key that the wallet does
        not trust; without it they raise ``ValueError``.
    :param prefix: the path of the account, below which the methods are.
    :param clock: returns the time of the request, as aware UTC.
    """

    def __init__(
        self,
        transport: Transport,
        sealer: Sealer,
        *,
        impostor: Sealer | None = None,
        prefix: str = PREFIX,
        clock: Clock = utc_now,
    ) -> None:
        self._transport = transport
        self._sealer = sealer
        self._impostor = impostor
        self._account: Account | None = None
        self._prefix = prefix
        self._clock = clock

    @classmethod
    def from_account(
        cls,
        transport: Transport,
        account: Mapping[str, Any],
        *,
        prefix: str = PREFIX,
        clock: Clock = utc_now,
    ) -> Self:
        """Make a caller from Google's side of an account; :meth:`close` it after use.

        :param transport: sends the HTTP requests: ``over_wsgi(app)`` or ``over_http(url)``.
        :param account: the same members as in ``OTP_MPP_GOOGLE_ACCOUNTS``, with the sides
            exchanged: ``our_keys`` are Google's private keys, ``their_keys`` the wallet's public
            ones. ``{"envelope": "plain"}`` needs none.
        :param prefix: the path of the account, below which the methods are.
        :param clock: returns the time of the request, as aware UTC.
        :raises ValueError: if a member of the account can't be used; every fault is in the message.
        """
        (read,) = read_accounts({_NAME: account})
        caller = cls(transport, open_sealers([read])[_NAME], prefix=prefix, clock=clock)
        caller._account = read
        return caller

    def close(self) -> None:
        """Release what the account's envelope uses: for PGP a ``gpg-agent`` and its keys."""
        self._sealer.close()

    def send(
        self,
        phone: str | None = None,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> GoogleAnswer:
        """Call sendOtp.

        :param phone: the ``accountPhoneNumber`` in E.164; None if ``fields`` hold an
            ``associationId``.
        :param request_id: the ``requestId``; a new random one by default.
        :param tamper: the one fault that the request is to contain.
        :param fields: further fields, or other values for the usual ones.
        :raises ValueError: if the fault needs an ``impostor``, and there is none.
        """
        usual = {"smsMatchingToken": MATCHING, "otpContext": {"association": {}}}
        if phone is not None:
            usual["accountPhoneNumber"] = phone
        return self.call("sendOtp", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def verify(
        self,
        sent: str,
        code: str,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> GoogleAnswer:
        """Call verifyOtp; the other parameters are those of :meth:`send`.

        :param sent: the ``requestId`` of the sendOtp before it.
        :param code: the code that the user typed.
        """
        usual = {"sendOtpRequestId": sent, "otp": code}
        return self.call("verifyOtp", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def echo(
        self,
        word: str = "hello",
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> GoogleAnswer:
        """Call echo; the other parameters are those of :meth:`send`.

        :param word: the ``clientMessage`` that the wallet is to return.
        """
        usual = {"clientMessage": word}
        return self.call("echo", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def call(
        self,
        method: str,
        payload: Mapping[str, Any] | bytes,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
    ) -> GoogleAnswer:
        """Call any method with any payload: :meth:`prepare` and :meth:`deliver` in one."""
        return self.deliver(*self.prepare(method, payload, request_id=request_id, tamper=tamper))

    def prepare(
        self,
        method: str,
        payload: Mapping[str, Any] | bytes,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
    ) -> tuple[Call, bytes]:
        """Seal a request without sending it.

        :param method: the last part of the path, such as ``sendOtp``.
        :param payload: bytes are sealed as they are; a mapping gets a ``requestHeader`` first.
        :returns: the HTTP request, and its payload before it was sealed.
        :raises ValueError: if the fault needs an ``impostor``, and there is none.
        """
        if isinstance(payload, bytes):
            asked = payload
        else:
            header = self._header(request_id, tamper)
            asked = json.dumps({"requestHeader": header, **payload}).encode()
        asked = before_sealing(tamper, asked)
        sealer = self._untrusted() if tamper == "signature" else self._sealer
        sealed = asked if tamper == "unsealed" else sealer.seal(asked)
        verb = "GET" if tamper == "method" else "POST"
        headers = {"content-type": sealer.media_type}
        body = after_sealing(tamper, sealed)
        return Call(verb, f"{self._prefix}/{method}", headers, body), asked

    def deliver(self, call: Call, asked: bytes = b"{}") -> GoogleAnswer:
        """Send a prepared request and open the answer; may be repeated with the same request."""
        response = self._transport(call)
        return GoogleAnswer(call, response, asked, self._open(response.body))

    def _open(self, body: bytes) -> Opened | None:
        try:
            return self._sealer.open(body) if body else None
        except Refused:
            return None

    def _untrusted(self) -> Sealer:
        if self._impostor is None and self._account is not None:
            self._impostor = impersonate(self._account)
        if self._impostor is None:
            raise ValueError("a wrong signature needs an impostor's keys")
        return self._impostor

    def _header(self, request_id: str | None, tamper: Tamper | None) -> Mapping[str, Any]:
        off = {"stale": -3600, "early": 3600}.get(tamper or "", 0)
        moment = self._clock() + timedelta(seconds=off) - _EPOCH
        major = 2 if tamper == "version" else 1
        return {
            "protocolVersion": {"major": major, "minor": 0, "revision": 0},
            "requestId": secrets.token_hex(16) if request_id is None else request_id,
            "requestTimestamp": str(moment // _MILLISECOND),
        }
