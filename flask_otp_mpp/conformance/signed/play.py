"""The side of the caller in Alipay+ and AMS: it signs requests and checks answers."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask_otp_mpp.conformance.case import AnyCase, CaseList, Failed, Skipped
from flask_otp_mpp.conformance.play import Bench, Exchange, Play
from flask_otp_mpp.conformance.signed.answer import Answer, Sent, read_object, result_of, told
from flask_otp_mpp.conformance.signed.dialect import DIALECTS, Api, Dialect, Means
from flask_otp_mpp.conformance.target import SignedClient
from flask_otp_mpp.conformance.wire import Request, Response
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

JSON: Final = "application/json; charset=UTF-8"
_TRIES: Final = 8
"""How often a request is sent that is refused for traffic only."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How a request is signed; each member of None has its usual value.

    :param method: as it is sent.
    :param uri: the path and query as they are sent.
    :param time: the text of the Request-Time header.
    :param signer: makes the Signature header's value of the text to sign.
    :param covers: changes what is signed, in place of what is sent.
    """

    method: str = "POST"
    uri: str | None = None
    client: SignedClient | None = None
    time: str | None = None
    signer: Callable[[bytes], str] | None = None
    covers: Callable[[bytes], bytes] | None = None


class SignedPlay(Play):
    """A playing of a case of Alipay+ or AMS.

    :ivar dialect: what is particular to the protocol.
    :ivar client: whose part is played.
    """

    def __init__(self, bench: Bench, case: AnyCase) -> None:
        super().__init__(bench, case)
        self.dialect: Dialect = DIALECTS[bench.target.wire]
        if bench.target.client is None:
            raise Skipped("it needs a client")
        self.client: SignedClient = bench.target.client

    @property
    def second_client(self) -> SignedClient:
        """Another client of the endpoint.

        :raises Skipped: if there is none.
        """
        if self.bench.target.second_client is None:
            raise Skipped("it needs a second client")
        return self.bench.target.second_client

    def at_second_client(self, user: str) -> str:
        """Return the token that the second client has for a user of the first one.

        :raises Skipped: if the configuration names none.
        """
        token = self.bench.target.second_valid.get(user)
        if token is None:
            raise Skipped("it needs the tokens that the second client has for the same users")
        return token.reveal()

    def uri(self, api: Api) -> str:
        """Return the path of an API, as it is called and signed."""
        paths = self.bench.target.paths or self.dialect.paths
        return self.bench.target.prefix + paths[0 if api is Api.SEND else 1]

    def unknown_challenge(self) -> str:
        """Return a new id that nobody knows."""
        return f"conformance-{secrets.token_hex(16)}"

    def fields(
        self,
        api: Api,
        user: str | None = None,
        *,
        challenge: str | None = None,
        code: str = "000000",
        email: bool = False,
        client: SignedClient | None = None,
    ) -> dict[str, Any]:
        """Return the fields of a request that is right.

        :param challenge: a new random one by default, which is known to nobody.
        """
        challenge = challenge or self.unknown_challenge()
        who, user = client or self.client, user or self.user
        if api is Api.SEND:
            return self.dialect.send(who, user, challenge, email)
        return self.dialect.verify(who, user, challenge, code)

    def request(
        self, api: Api, body: Mapping[str, Any] | bytes, signing: Signing | None = None
    ) -> Request:
        """Return a signed request; nothing is sent.

        :param body: bytes are sent as they are, fields as JSON without spaces.
        """
        how = signing or Signing()
        content = body if isinstance(body, bytes) else to_json(body).encode()
        client, uri = how.client or self.client, how.uri or self.uri(api)
        at = self.time(self.bench.next_moment()) if how.time is None else how.time
        text = rsa256.canonical(how.method, uri, client.id, at, content)
        signer = how.signer or self.signer(client)
        headers = (
            ("Content-Type", JSON),
            ("Client-Id", client.id),
            ("Request-Time", at),
            ("Signature", signer(how.covers(text) if how.covers else text)),
        )
        return Request(how.method, uri, headers, content)

    def signer(self, client: SignedClient | None = None) -> Callable[[bytes], str]:
        """Return what signs a text by a client's key, and makes the header of it."""
        who = client or self.client
        signer = LocalSigner(who.key_version, who.key)
        return lambda text: rsa256.signature_header(signer, text)

    def time(self, moment: datetime) -> str:
        """Write a time as requests have it."""
        return moment.isoformat(timespec="milliseconds")

    def deliver(self, request: Request, *, patient: bool = True) -> Answer:
        """Send a request and check the answer's signature.

        :param patient: whether it is sent again, a little later, if it is refused for traffic only.
        """
        tries = _TRIES if patient and not self.case.alone else 1
        for number in range(1, tries + 1):
            at = self.bench.now()
            response = self.bench.http.send(request)
            if not self._refused_for_traffic(response) or number == tries:
                break
            time.sleep(0.25 * number)
        expected, verified = self._check(request, response)
        text = rsa256.canonical(
            request.method,
            request.target,
            request.header("client-id"),
            request.header("request-time"),
            request.body,
        )
        code = result_of(response.body, "resultCode")
        exchange = Exchange(request, response, text, expected, verified, code, at)
        self.exchanges.append(exchange)
        return Answer(exchange, verified)

    def call(
        self, api: Api, body: Mapping[str, Any] | bytes, signing: Signing | None = None
    ) -> Answer:
        """Make a request and deliver it."""
        return self.deliver(self.request(api, body, signing))

    def send(
        self, user: str | None = None, *, client: SignedClient | None = None, **fields: Any
    ) -> Answer:
        """Ask for a code for a user; ``fields`` are further ones, or other values."""
        body = {**self.fields(Api.SEND, user, client=client), **fields}
        return self.call(Api.SEND, body, Signing(client=client))

    def verify(
        self,
        challenge: str,
        code: str,
        user: str | None = None,
        *,
        client: SignedClient | None = None,
        **fields: Any,
    ) -> Answer:
        """Make an attempt; ``fields`` are further ones, or other values."""
        usual = self.fields(Api.VERIFY, user, challenge=challenge, code=code, client=client)
        return self.call(Api.VERIFY, {**usual, **fields}, Signing(client=client))

    def sent(self, user: str | None = None, *, client: SignedClient | None = None) -> Sent:
        """Send a code to a user and learn it.

        :raises Failed: if the endpoint does not send one, or none arrives.
        """
        waiting = self.waiting(user or self.user)
        answer = self.send(user, client=client)
        self.expect(answer, Means.SUCCESS)
        challenge = self.challenge_of(answer)
        return Sent(challenge, self.code(waiting, challenge))

    def challenge_of(self, answer: Answer) -> str:
        """Return the id of the challenge that a send has opened.

        :raises Failed: if there is none.
        """
        name = self.dialect.challenge_in
        challenge = answer.json.get(name) or read_object(answer.exchange.request.body).get(name)
        if not isinstance(challenge, str) or not challenge:
            raise Failed(f"a successful send has no {name}")
        return challenge

    def expect(self, answer: Answer, *means: Means) -> None:
        """See that an answer has a result code of one of these meanings.

        That each code has its status is a case of its own.

        :raises Failed: if it has another one.
        """
        allowed = [code for one in means for code in self.dialect.codes[one]]
        if answer.code not in allowed:
            raise Failed(f"{' or '.join(allowed)} was expected, and {told(answer)}")

    def _refused_for_traffic(self, response: Response) -> bool:
        found = result_of(response.body, "resultCode")
        return response.status == 429 or found in self.dialect.codes[Means.TRAFFIC]

    def _check(self, request: Request, response: Response) -> tuple[bytes, bool]:
        """Return the text that an answer's signature must cover, and whether it does."""
        client, at = response.header("client-id"), response.header("response-time")
        text = rsa256.canonical(request.method, request.target, client, at, response.body)
        try:
            header = SignatureHeader.parse(response.header("signature"))
        except Malformed:
            return text, False
        key = self.bench.target.wallet_keys.get(header.key_version or "")
        if key is None or client not in ("", request.header("client-id")):
            return text, False
        return text, rsa256.holds(key, header.signature, text)


SignedCases = CaseList[SignedPlay]


def to_json(fields: Mapping[str, Any]) -> str:
    """Write fields as most libraries do: without spaces, and escaping no more than is needed."""
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
