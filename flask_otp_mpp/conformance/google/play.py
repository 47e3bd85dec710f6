"""The side of Google: it seals requests and opens answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask_otp_mpp.conformance.case import AnyCase, CaseList, Failed, Skipped
from flask_otp_mpp.conformance.credentials import is_number
from flask_otp_mpp.conformance.google.answer import (
    Answer,
    in_words,
    payload_of,
    read_object,
    says,
    told,
)
from flask_otp_mpp.conformance.google.dialect import MATCHING, Api, Means
from flask_otp_mpp.conformance.google.jose_forge import JoseForge
from flask_otp_mpp.conformance.google.pgp_forge import PgpForge
from flask_otp_mpp.conformance.google.side import GoogleSide
from flask_otp_mpp.conformance.play import Bench, Exchange, Play
from flask_otp_mpp.conformance.wire import Request
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.sealer import Sealer

_TRIES: Final = 4
"""How often a request is sent that is refused for traffic only."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A code that was sent, and the requestId of the send."""

    request_id: str
    code: str = field(repr=False)


class GooglePlay(Play):
    """A playing of a case of Google Standard Payments.

    :ivar side: Google's side of the account whose part is played.
    :raises Skipped: if a program is missing that the envelope needs.
    """

    def __init__(self, bench: Bench, case: AnyCase) -> None:
        super().__init__(bench, case)
        if bench.target.google is None:
            raise Skipped("it needs an account of Google's")
        self.side: GoogleSide = bench.target.google
        if self.side.sealer is None:
            raise Skipped("it needs the program gpg, which is not here; install GnuPG")

    @property
    def second_side(self) -> GoogleSide:
        """Google's side of another account.

        :raises Skipped: if there is none.
        """
        if self.side.second is None:
            raise Skipped("it needs a second account")
        return self.side.second

    @property
    def jose(self) -> JoseForge:
        """Makes JOSE bodies of any kind."""
        assert isinstance(self.side.forge, JoseForge)  # noqa: S101 - the case is one of JOSE
        return self.side.forge

    @property
    def pgp(self) -> PgpForge:
        """Makes OpenPGP bodies of any kind."""
        assert isinstance(self.side.forge, PgpForge)  # noqa: S101 - the case is one of PGP
        return self.side.forge

    def unknown_name(self) -> str:
        """Return a random name that nobody has."""
        return f"conformance-{secrets.token_hex(16)}"

    def association(self) -> str:
        """Return the id of an association that no other case has.

        :raises Skipped: if there is none.
        """
        return self.bench.take_association().reveal()

    def stamp(self, seconds: float = 0) -> str:
        """Return the time as requests have it, some seconds from now."""
        moment = self.bench.now() + timedelta(seconds=seconds) - _EPOCH
        return str(moment // _MILLISECOND)

    def header(self, request_id: str | None = None) -> dict[str, Any]:
        """Return a requestHeader that is right; its requestId is a new random one by default."""
        return {
            "protocolVersion": {"major": 1, "minor": 0, "revision": 0},
            "requestId": request_id or self.unknown_name(),
            "requestTimestamp": self.stamp(),
        }

    def message(
        self,
        api: Api,
        user: str | None = None,
        *,
        request_id: str | None = None,
        sent: str | None = None,
        code: str = "000000",
        **more: Any,
    ) -> dict[str, Any]:
        """Return a message that is right.

        :param user: the phone number, or an associationId; that of the case by default. None of
            them counts if ``more`` has such a member.
        :param sent: the requestId of the send to verify; a random one by default, which is known
            to nobody.
        :param more: further members, or other values.
        """
        usual: dict[str, Any] = {"clientMessage": "conformance"}
        if api is Api.SEND:
            usual = {"smsMatchingToken": MATCHING, "otpContext": {"association": {}}}
            if not more.keys() & {"accountPhoneNumber", "associationId"}:
                name = user or self.user
                usual["accountPhoneNumber" if is_number(name) else "associationId"] = name
        elif api is Api.VERIFY:
            usual = {"sendOtpRequestId": sent or self.unknown_name(), "otp": code}
        return {"requestHeader": self.header(request_id), **usual, **more}

    def uri(self, api: Api | str, side: GoogleSide | None = None) -> str:
        """Return the path of a method, as it is called."""
        return f"{self.bench.target.prefix}{(side or self.side).path}/{api}"

    def seal(self, message: Mapping[str, Any] | bytes, side: GoogleSide | None = None) -> bytes:
        """Return the body of a message; bytes are sealed as they are."""
        return self._sealer(side).seal(payload_of(message))

    def posted(self, api: Api | str, body: bytes, side: GoogleSide | None = None) -> Request:
        """Return a request with a sealed body, or with what is none."""
        headers = (("Content-Type", self._sealer(side).media_type),)
        return Request("POST", self.uri(api, side), headers, body)

    def deliver(
        self,
        request: Request,
        message: Mapping[str, Any] | bytes = b"",
        side: GoogleSide | None = None,
    ) -> Answer:
        """Send a request and open the answer.

        What is refused for traffic only is sent again, a little later.

        :param message: what is sealed in it, for the report.
        """
        tries = 1 if self.case.alone else _TRIES
        for number in range(1, tries + 1):
            at = self.bench.now()
            response = self.bench.http.send(request)
            if number == tries or not response.header("retry-after"):
                break
            time.sleep(0.25 * number)
        opened = self._open(response.body, self._sealer(side))
        payload = opened or b""
        found = read_object(payload or response.body)
        code = found.get("result") or found.get("errorResponseCode") or ""
        exchange = Exchange(
            request,
            response,
            payload_of(message),
            payload,
            opened is not None or not response.body,
            code if isinstance(code, str) else "",
            at,
        )
        self.exchanges.append(exchange)
        return Answer(exchange)

    def call(
        self, api: Api, message: Mapping[str, Any] | bytes, side: GoogleSide | None = None
    ) -> Answer:
        """Seal a message, send it and open the answer."""
        return self.deliver(self.posted(api, self.seal(message, side), side), message, side)

    def send(
        self, user: str | None = None, *, side: GoogleSide | None = None, **members: Any
    ) -> Answer:
        """Ask for a code; ``members`` are those of :meth:`message`."""
        return self.call(Api.SEND, self.message(Api.SEND, user, **members), side)

    def verify(
        self, sent: str, code: str, *, side: GoogleSide | None = None, **members: Any
    ) -> Answer:
        """Make an attempt; ``members`` are those of :meth:`message`."""
        message = self.message(Api.VERIFY, sent=sent, code=code, **members)
        return self.call(Api.VERIFY, message, side)

    def echo(self, side: GoogleSide | None = None, **members: Any) -> Answer:
        """Call echo; ``members`` are those of :meth:`message`."""
        return self.call(Api.ECHO, self.message(Api.ECHO, **members), side)

    def offer(self, make: Callable[[bytes], bytes], *means: Means) -> None:
        """Send an echo in a body of another kind, and expect an answer of these meanings.

        :param make: makes the body of the payload.
        """
        message = self.message(Api.ECHO)
        body = make(payload_of(message))
        self.expect(self.deliver(self.posted(Api.ECHO, body), message), *means)

    def sent(
        self, user: str | None = None, *, side: GoogleSide | None = None, **members: Any
    ) -> Sent:
        """Send a code to a user and learn it.

        :raises Failed: if the endpoint does not send one, or none arrives.
        """
        waiting = self.waiting(members.get("associationId") or user or self.user)
        message = self.message(Api.SEND, user, **members)
        self.expect(self.call(Api.SEND, message, side), Means.SUCCESS)
        request_id = message["requestHeader"]["requestId"]
        return Sent(request_id, self.code(waiting, request_id))

    def expect(self, answer: Answer, *means: Means) -> None:
        """See that an answer says one of these, with its HTTP status.

        :raises Failed: if it says something else.
        """
        if not any(says(answer, one) for one in means):
            wanted = " or ".join(in_words(one) for one in means)
            raise Failed(f"{wanted} was expected, and {told(answer)}")

    def _sealer(self, side: GoogleSide | None) -> Sealer:
        sealer = (side or self.side).sealer
        assert sealer is not None  # noqa: S101 - both accounts need the same program
        return sealer

    def _open(self, body: bytes, sealer: Sealer) -> bytes | None:
        """Return the payload of a body; None if it does not open.

        :raises Failed: if the kit can't tell.
        """
        try:
            return sealer.open(body).payload
        except Refused as refused:
            if refused.reason is Reason.UNFORESEEN:
                raise Failed("the kit's own gpg did not open the answer in time") from None
            return None


GoogleCases = CaseList[GooglePlay]
