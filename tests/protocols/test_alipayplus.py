"""A proven body becomes a command for one wallet, or a refusal that names the field."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, Command, SendOtp, VerifyOtp
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.core.users import AccessToken
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.base import Deployment
from flask_otp_mpp.protocols.values import Mount, Operation
from tests.protocols.caller import (
    CLIENT,
    CLOCK,
    COMMON,
    FRESHNESS,
    NO_DIGITS,
    PREFIX,
    SIGNER,
    configured,
    inbound,
    protocol,
    refusal,
)
from tests.vectors import KEYS, vector

ANSWER = {**COMMON, "verifyRequestId": "request", "otpCode": "660000"}


def read_send(payload: Any = COMMON, wallet: AlipayPlus | None = None, **signed: str) -> SendOtp:
    command = read(Operation.SEND, payload, wallet, **signed)
    assert isinstance(command, SendOtp)
    return command


def read_verify(
    payload: Any = ANSWER, wallet: AlipayPlus | None = None, **signed: str
) -> VerifyOtp:
    command = read(Operation.VERIFY, payload, wallet, **signed)
    assert isinstance(command, VerifyOtp)
    return command


def read(
    operation: Operation,
    payload: Any,
    wallet: AlipayPlus | None,
    client: str = CLIENT,
    key: str = "alipayplus",
) -> Command:
    used = wallet or protocol()
    parsed = used.read(operation, used.authenticate(inbound(payload, client=client, key=key)))
    assert parsed.command is not None
    return parsed.command


def test_a_body_is_read_into_a_command() -> None:
    send = read_send()
    assert send.credential == AccessToken("token")
    assert send.channel is Channel.MOBILE
    verify = read_verify()
    assert verify.target == ById("request", AccessToken("token"))
    assert verify.code == Secret("660000")
    assert send.caller == verify.caller
    assert send.request != verify.request


def test_the_published_samples_are_read() -> None:
    """The bodies of the two pages, as the vectors hold them."""
    wallet = protocol(psp_ids=frozenset({"1022172000000000000"}))
    sample = read_verify(vector("req_verifyOTP_doc_sample").body, wallet)
    assert isinstance(sample.target, ById)
    assert sample.target.challenge_id == "0b9fc14b15718153091352139110000"
    assert sample.code.reveal() == "660000"
    for name in ("req_sendOTP_null_optional", "req_sendOTP_unicode_and_unknown_field"):
        assert read_send(vector(name).body, wallet).channel is Channel.MOBILE


@pytest.mark.parametrize(
    ("value", "channel"),
    [("MOBILE", Channel.MOBILE), ("EMAIL", Channel.EMAIL), (None, Channel.MOBILE)],
)
def test_the_channel_is_the_one_that_is_asked_for(value: str | None, channel: Channel) -> None:
    """F6: null stands for a field that is left out."""
    assert read_send({**COMMON, "verifyType": value}).channel is channel


SEND_FIELDS = {"acquirerId": 64, "pspId": 64, "accessToken": 128}
VERIFY_FIELDS = {**SEND_FIELDS, "verifyRequestId": 64, "otpCode": 32}


@pytest.mark.parametrize(
    ("operation", "field", "longest"),
    [
        *((Operation.SEND, *field) for field in SEND_FIELDS.items()),
        *((Operation.VERIFY, *field) for field in VERIFY_FIELDS.items()),
    ],
)
@pytest.mark.parametrize("value", [..., None, "", 7, True, ["x"], {"x": "y"}, "too long"])
def test_a_required_field_is_refused_by_name(
    operation: Operation, field: str, longest: int, value: Any
) -> None:
    """F6: missing, null, empty, no string or one character too long: PARAM_ILLEGAL, with name."""
    payload = {**(COMMON if operation is Operation.SEND else ANSWER), field: value}
    if value is ...:
        del payload[field]
    elif value == "too long":
        payload[field] = "x" * (longest + 1)
    refused = refusal(read, operation, payload, None)
    absent = value is ... or value is None
    assert refused.reason is (Reason.FIELD_MISSING if absent else Reason.FIELD_INVALID)
    assert refused.detail.startswith(f"{field}: ")
    assert (refused.detail == f"{field}: is required.") is absent
    assert "xx" not in refused.detail


def test_each_field_may_be_as_long_as_documented() -> None:
    longest = {field: "x" * size for field, size in VERIFY_FIELDS.items()}
    longest["otpCode"] = "7" * 32
    wallet = protocol(psp_ids=frozenset({longest["pspId"]}))
    assert read_verify(longest, wallet).code.reveal() == "7" * 32
    assert read_send({**longest, "verifyType": "EMAIL"}, wallet).credential.reveal() == "x" * 128


@pytest.mark.parametrize("value", ["", "SMS", "mobile", 1, ["MOBILE"]])
def test_an_unknown_channel_is_an_illegal_parameter(value: Any) -> None:
    """F6: and the message says which ones there are, if it was a text at all."""
    refused = refusal(read_send, {**COMMON, "verifyType": value})
    assert refused.reason is Reason.FIELD_INVALID
    assert refused.detail.startswith("verifyType: must be ")


@pytest.mark.parametrize("typed", NO_DIGITS)
def test_what_is_not_of_digits_alone_is_an_illegal_parameter(typed: str) -> None:
    """L11: "non-numeric input", in the words of the page; nothing of it is repeated."""
    refused = refusal(read_verify, {**ANSWER, "otpCode": typed})
    assert refused.reason is Reason.FIELD_INVALID
    assert refused.detail == "otpCode: must be a string of 1 to 32 digits."


@pytest.mark.parametrize("typed", ["0", "1234567", "0" * 32])
def test_digits_of_another_number_are_a_code_that_is_judged(typed: str) -> None:
    """L11: and count as a wrong one."""
    assert read_verify({**ANSWER, "otpCode": typed}).code.reveal() == typed


def test_another_wallet_is_not_served() -> None:
    """G4: pspId names this wallet, in sandbox or in production."""
    refused = refusal(read_send, {**COMMON, "pspId": "somebody-else"})
    assert refused.reason is Reason.PSP_UNKNOWN
    assert "pspId" in refused.detail
    assert "somebody" not in refused.detail
    both = protocol(psp_ids=frozenset({"sandbox", "production"}))
    for psp in ("sandbox", "production"):
        assert read_send({**COMMON, "pspId": psp}, both).credential.reveal() == "token"


def test_only_listed_acquirers_are_served_if_there_is_a_list() -> None:
    """ACCESS_DENIED for the others; without a list everybody is served."""
    listed = protocol(acquirers=frozenset({"acquirer"}))
    assert read_send(wallet=listed).credential.reveal() == "token"
    refused = refusal(read_send, {**COMMON, "acquirerId": "other"}, listed)
    assert refused.reason is Reason.ACCESS_DENIED
    assert refusal(read_send, wallet=protocol(acquirers=frozenset())).reason is (
        Reason.ACCESS_DENIED
    )
    assert read_send({**COMMON, "acquirerId": "other"}).credential.reveal() == "token"


def test_the_caller_is_client_acquirer_and_wallet_together() -> None:
    """L8: change one of them and it is somebody else, also if they run together alike."""
    wallet = protocol(psp_ids=frozenset({"psp", "psp2", "a", "ab"}))
    callers = [
        read_send(wallet=wallet).caller,
        read_send({**COMMON, "acquirerId": "other"}, wallet).caller,
        read_send({**COMMON, "pspId": "psp2"}, wallet).caller,
        read_send(wallet=wallet, client="OTHER", key="unrelated").caller,
        read_send({**COMMON, "acquirerId": "b", "pspId": "ab"}, wallet).caller,
        read_send({**COMMON, "acquirerId": "ba", "pspId": "a"}, wallet).caller,
    ]
    assert len({caller.digest for caller in callers}) == len(callers)
    same = [read_send({**COMMON, "accessToken": "t", "verifyType": "EMAIL"}, wallet).caller]
    assert same == callers[:1]


def test_a_proxy_may_rewrite_the_path_that_is_signed() -> None:
    """G11: where it lies in the app and how it is called from outside may differ."""
    assert [(at.prefix, at.public_prefix) for at in protocol().mounts] == [(PREFIX, PREFIX)]
    rewritten = protocol(public_prefix="/otp").mounts
    assert [(at.prefix, at.public_prefix) for at in rewritten] == [(PREFIX, "/otp")]


def configure(**values: Any) -> AlipayPlus:
    deployment = Deployment(SIGNER, FRESHNESS, CLOCK)
    return configured(AlipayPlus, deployment, **{"ALIPAYPLUS_PSP_ID": "psp", **values})


def test_it_is_configured_by_settings_of_its_own() -> None:
    clients = {CLIENT: {"1": KEYS["alipayplus"]["public_spki_der_b64"]}}
    wallet = configure(
        ALIPAYPLUS_CLIENTS=clients,
        ALIPAYPLUS_ACQUIRERS=["acquirer"],
        ALIPAYPLUS_PREFIX="/p",
        ALIPAYPLUS_PUBLIC_PREFIX="/q",
        ALIPAYPLUS_SEND_PATH="/s",
        ALIPAYPLUS_VERIFY_PATH="/v",
    )
    assert wallet.mounts == (Mount("/p", "/q"),)
    assert wallet.paths == {"/s": Operation.SEND, "/v": Operation.VERIFY}
    assert read_send(wallet=wallet).credential.reveal() == "token"
    other = refusal(read_send, {**COMMON, "acquirerId": "other"}, wallet)
    assert other.reason is Reason.ACCESS_DENIED


def test_without_settings_it_lies_where_alipay_plus_documents_it() -> None:
    wallet = configure()
    assert wallet.mounts == (Mount(PREFIX, PREFIX),)
    assert wallet.paths == {"/sendOTP": Operation.SEND, "/verifyOTP": Operation.VERIFY}
    assert refusal(wallet.authenticate, inbound()).reason is Reason.CLIENT_UNKNOWN


def test_two_apis_can_not_lie_on_one_path() -> None:
    """F2: the second of them would never be reached."""
    with pytest.raises(ConfigurationError, match="'OTP_MPP_ALIPAYPLUS_VERIFY_PATH'"):
        configure(ALIPAYPLUS_SEND_PATH="/otp", ALIPAYPLUS_VERIFY_PATH="/otp")


@pytest.mark.parametrize(
    ("clients", "finding"),
    [
        ({"C": {"1": "rubbish-key"}}, "client 'C': key '1': this is neither a file"),
        ({"C": {"1": ""}}, "client 'C': key '1': found nothing"),
        ({"C": {"1": ["rubbish-key"]}}, "client 'C': key '1': found a list; write the key"),
        ({"C": {}}, "client 'C' maps to nothing; map it to {key version: public key}"),
        ({"C": "rubbish-key"}, "client 'C' maps to a text; map it to {key version: public key}"),
        ({}, "found an empty mapping; set it to a mapping {client id: {key version: public key}}"),
        ("rubbish-key", "found a text; set it to a mapping {client id: {key version"),
    ],
)
def test_a_key_that_can_not_be_used_is_named_and_not_shown(clients: Any, finding: str) -> None:
    """F2: which client, which version, and what would do."""
    with pytest.raises(ConfigurationError, match=re.escape(finding)) as caught:
        configure(ALIPAYPLUS_CLIENTS=clients)
    assert "rubbish" not in str(caught.value)


def test_wallet_and_acquirer_are_judged_after_all_fields() -> None:
    """A caller that corrects its fields one by one learns of their faults first."""
    wrong = {"acquirerId": "other", "pspId": "other", "accessToken": "t"}
    wallet = protocol(acquirers=frozenset({"acquirer"}))
    assert refusal(read_verify, wrong, wallet).detail.startswith("verifyRequestId: ")
    assert refusal(read_send, wrong, wallet).detail.startswith("pspId: ")
    for size in range(3):
        for some in itertools.combinations(COMMON, size):
            payload = {name: COMMON[name] for name in some}
            assert isinstance(refusal(read_send, payload), Refused)
