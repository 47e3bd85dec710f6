"""Keys rotate without a refused request, and hooks are the host's own functions, async or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_otp_mpp import (
    AccessTokens,
    AlipayPlus,
    Caller,
    Channel,
    Message,
    OtpMpp,
    Reason,
    Subject,
    otp_sent,
    refuse,
    state_of,
)
from flask_otp_mpp.protocols.values import Event
from flask_otp_mpp.signing.keys import LocalSigner, one_line, private_pem
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from flask_otp_mpp.testing import FrozenClock, Inbox
from tests.codes import wrong_code
from tests.wallet import ACQUIRER, CLIENT, PSP, Wallet, key, load_user, settings

MakeWallet = Callable[..., Wallet]
OWN_KEYS = {
    "1": private_pem(key("wallet")).decode(),
    "2": private_pem(key("wallet 2")).decode(),
    "3": private_pem(key("wallet 3")).decode(),
}


@pytest.mark.parametrize("current", OWN_KEYS)
def test_the_current_key_signs_and_is_named(current: str, make_wallet: MakeWallet) -> None:
    """K2: whichever it is in the list; the others are still known."""
    wallet = make_wallet(OTP_MPP_PRIVATE_KEYS=OWN_KEYS, OTP_MPP_KEY_VERSION=current)
    answer = wallet.send()
    headers = dict(answer.response.headers)
    assert answer.verified
    assert SignatureHeader.parse(headers["signature"]).key_version == current
    assert set(wallet.state.public_keys) == set(OWN_KEYS)
    other = {v: k for v, k in wallet.state.public_keys.items() if v != current}
    assert not wallet.calling(server_keys=other).send("tok-bob").verified


def test_all_listed_caller_keys_verify(make_wallet: MakeWallet) -> None:
    """G4, K2: an old key and a new one at once, each under its own version only."""
    clients = {
        CLIENT: {
            "1": one_line(key("alipay+").public_key()),
            "2": one_line(key("alipay+ 2").public_key()),
        }
    }
    wallet = make_wallet(OTP_MPP_ALIPAYPLUS_CLIENTS=clients)
    codes = {
        (name, version): wallet.calling(key=key(name), key_version=version).send(f"tok-{i}").code
        for i, (name, version) in enumerate(
            (name, version) for name in ("alipay+", "alipay+ 2") for version in "123"
        )
    }
    assert codes == {
        ("alipay+", "1"): "SUCCESS",
        ("alipay+", "2"): "INVALID_SIGNATURE",
        ("alipay+", "3"): "KEY_NOT_FOUND",
        ("alipay+ 2", "1"): "INVALID_SIGNATURE",
        ("alipay+ 2", "2"): "SUCCESS",
        ("alipay+ 2", "3"): "KEY_NOT_FOUND",
    }


def test_a_challenge_belongs_to_client_acquirer_and_wallet(make_wallet: MakeWallet) -> None:
    """L8: the right code from another caller does not match and counts no try."""
    public = one_line(key("alipay+").public_key())
    wallet = make_wallet(
        OTP_MPP_ALIPAYPLUS_CLIENTS={
            CLIENT: {"keys": {"1": public}, "psp_ids": [PSP, "P2"]},
            "C2": {"keys": {"1": public}, "psp_ids": [PSP]},
        },
        OTP_MPP_ALIPAYPLUS_PSP_ID=[PSP, "P2"],
    )
    request_id, code = wallet.sent()
    for stranger in (
        wallet.calling(client_id="C2"),
        wallet.calling(acquirer_id="A2"),
        wallet.calling(psp_id="P2"),
    ):
        for _ in range(6):
            answer = stranger.verify("tok-ada", request_id, code)
            assert answer.code == "VERIFY_REQUEST_ID_INVALID"
    assert wallet.caller.verify("tok-bob", request_id, code).code == "VERIFY_REQUEST_ID_INVALID"
    assert wallet.caller.verify("tok-ada", request_id, code).code == "SUCCESS"


def test_codes_of_two_challenges_are_not_exchangeable(make_wallet: MakeWallet) -> None:
    """L7, L8: not even between the channels of one user."""
    wallet = make_wallet()
    by_mobile, mobile_code = wallet.sent()
    by_email, email_code = wallet.sent(verifyType="EMAIL")
    if mobile_code != email_code:
        answer = wallet.caller.verify("tok-ada", by_mobile, email_code)
        assert answer.code == "OTP_VERIFY_UNMATCHED"
    assert wallet.caller.verify("tok-ada", by_mobile, mobile_code).code == "SUCCESS"
    assert wallet.caller.verify("tok-ada", by_email, email_code).code == "SUCCESS"


def test_client_keys_can_come_from_a_hook(make_wallet: MakeWallet) -> None:
    """G4: called only for a key that is not listed, with the version that the caller named."""
    asked: list[tuple[str, str | None]] = []

    def find(client: str, version: str | None) -> str | rsa.RSAPublicKey | None:
        asked.append((client, version))
        if client == "REVOKED":
            refuse(Reason.KEY_UNKNOWN)
        return one_line(key("alipay+").public_key()) if client == "HOOKED" else None

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(find)

    wallet = make_wallet(prepare=prepare)
    codes = [
        wallet.calling(client_id=client).send(f"tok-{client}").code
        for client in (CLIENT, "HOOKED", "REVOKED", "STRANGER")
    ]
    assert codes == ["SUCCESS", "SUCCESS", "KEY_NOT_FOUND", "INVALID_CLIENT"]
    assert asked == [("HOOKED", "1"), ("REVOKED", "1"), ("STRANGER", "1")]


def test_no_hook_is_called_for_a_request_without_a_valid_signature(
    make_wallet: MakeWallet,
) -> None:
    """G1: bad JSON under a bad signature is a bad signature."""
    heard: list[str] = []

    def load(token: str, caller: Caller) -> str:
        heard.append(token)
        return token

    wallet = make_wallet(loader=load)
    answer = wallet.caller.call("/sendOTP", b"{bad", tamper="signature")
    assert answer.code == "INVALID_SIGNATURE"
    assert wallet.caller.call("/sendOTP", b"{bad").code == "PARAM_ILLEGAL"
    assert heard == []


def test_hooks_may_be_async(make_wallet: MakeWallet) -> None:
    """F1: through the app's own ensure_sync."""
    box: list[str] = []

    async def load(token: str, caller: Caller) -> SimpleNamespace:
        return SimpleNamespace(id=7, token=token)

    async def text(user: SimpleNamespace, message: Message) -> None:
        box.append(message.code)

    wallet = make_wallet(loader=load, sender=text)
    answer = wallet.send()
    assert wallet.caller.verify("tok-ada", answer.verify_request_id, box[0]).code == "SUCCESS"


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("ada", "ada"),
        (SimpleNamespace(id=12), "12"),
        (SimpleNamespace(get_id=lambda: "changes with the password", id=12), "12"),
        (SimpleNamespace(get_id=lambda: "g-3"), "g-3"),
    ],
)
def test_a_user_is_named_by_what_users_have(
    user: object, subject: str, make_wallet: MakeWallet
) -> None:
    """P4: the name is the host's primary key; signals carry it."""
    events: list[Event] = []

    def receive(sender: object, event: Event) -> None:
        events.append(event)

    wallet = make_wallet(loader=lambda token, caller: user)
    with otp_sent.connected_to(receive, wallet.app):
        answer = wallet.send()
    assert [event.subject for event in events] == [subject]
    assert events[0].challenge_id == answer.verify_request_id
    assert events[0].caller == Caller("alipayplus", CLIENT, ACQUIRER, PSP)
    assert (events[0].operation, events[0].reason) == ("send", None)


def test_a_host_can_name_its_users_itself(make_wallet: MakeWallet) -> None:
    """P4: by user_identity; two tokens of one user share one quota."""

    def prepare(_app: Flask, otp: OtpMpp) -> None:
        otp.user_identity(lambda user: "everybody is one")

    wallet = make_wallet(prepare=prepare)
    assert wallet.caller.send("tok-ada").code == "SUCCESS"
    assert wallet.caller.send("tok-bob").code == "OTP_SEND_TIMES_EXCEED_LIMIT"


def test_a_signer_of_the_host_signs_in_place_of_a_key(make_wallet: MakeWallet) -> None:
    """K2: for an HSM or KMS; no private key is then configured."""
    wallet = make_wallet(
        options={"signer": LocalSigner("kms-5", key("kms"))}, OTP_MPP_PRIVATE_KEYS=None
    )
    caller = wallet.calling(server_keys={"kms-5": key("kms").public_key()})
    assert caller.send("tok-ada").verified
    assert wallet.state.public_keys == {}


def test_a_hook_that_no_app_has_read_stops_the_first_request(
    wallet: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """F2: instead of a hook that is silently never called."""

    def late(*_: object) -> None:
        return None

    wallet.otp.user_loader(Subject)(late)
    wallet.otp.sender(Channel.MOBILE)(late)
    for _ in range(2):
        answer = wallet.send()
        assert answer.verified
        assert answer.code == "UNKNOWN_EXCEPTION"
    assert len(wallet.inbox) == 0
    assert (
        "no request is served: registered after init_app, so that no app calls it: "
        "@otp.user_loader(Subject) 'late', @otp.sender(Channel.MOBILE) 'late'; do it before"
    ) in caplog.messages


def test_each_app_keeps_the_hooks_that_its_init_app_has_read() -> None:
    """F1: an OtpMpp whose factory registers senders serves several apps, each by its own."""
    otp, inboxes, wallets = OtpMpp(AlipayPlus), (Inbox(), Inbox()), []
    otp.user_loader(load_user)
    for inbox in inboxes:
        otp.sender(Channel.MOBILE)(inbox)
        with pytest.raises(RuntimeError, match="has the hook 'Inbox' already"):
            otp.sender(Channel.MOBILE)(Inbox())
        app = Flask("tests.factory")
        app.config.update(settings())
        otp.init_app(app)
        wallets.append(Wallet(app, otp, inbox, FrozenClock(datetime.now(UTC))))
    for wallet in wallets:
        assert wallet.send().code == "SUCCESS"
    assert [len(inbox) for inbox in inboxes] == [1, 1]


def test_an_app_takes_one_extension_only(wallet: Wallet) -> None:
    """F1: the error says to pass all protocols to one."""
    with pytest.raises(RuntimeError, match="has an OtpMpp already"):
        wallet.otp.init_app(wallet.app)


def test_access_tokens_serve_a_wallet_without_a_token_service(make_wallet: MakeWallet) -> None:
    """P4: signed tokens, refused over the wire with the codes for their faults."""
    tokens = AccessTokens("a secret of the wallet, 32 bytes", timedelta(hours=1))
    stale = AccessTokens("a secret of the wallet, 32 bytes", timedelta(seconds=-1))
    wallet = make_wallet(loader=tokens.load)
    assert wallet.send(tokens.mint("ada", client=CLIENT)).code == "SUCCESS"
    assert wallet.send(tokens.mint("ada", ["PAY"], client=CLIENT)).code == "INVALID_TOKEN"
    assert wallet.send(tokens.mint("ada", client=CLIENT)[:-1]).code == "INVALID_TOKEN"
    late = make_wallet(loader=stale.load)
    assert late.send(stale.mint("ada", client=CLIENT)).code == "EXPIRED_ACCESS_TOKEN"


def test_the_reuse_policy_sends_the_same_code_again(make_wallet: MakeWallet) -> None:
    """L12: same id, same code, tries and end unchanged; rotate is the default."""
    wallet = make_wallet(store="sqlite", OTP_MPP_RESEND="reuse")
    first, code = wallet.sent()
    wrong = wrong_code(code)
    for _ in range(4):
        wallet.caller.verify("tok-ada", first, wrong)
    again, same_code = wallet.sent()
    assert (again, same_code) == (first, code)
    assert "expires in 3 min" in wallet.inbox.received[1][1].body
    assert wallet.caller.verify("tok-ada", first, wrong).code == "OTP_VERIFY_UNMATCHED"
    assert wallet.caller.verify("tok-ada", first, code).code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"


def test_a_pepper_can_be_changed_while_codes_are_out(make_wallet: MakeWallet) -> None:
    """K1: the new one first, the old one behind it until the last old code has expired."""
    old, new = "old pepper " * 4, "new pepper " * 4
    before = make_wallet(store="sqlite", OTP_MPP_PEPPER=old)
    request_id, code = before.sent()
    during = make_wallet(store="sqlite", OTP_MPP_PEPPER=[new, old])
    assert during.caller.verify("tok-ada", request_id, code).code == "SUCCESS"
    other, other_code = during.sent("tok-bob")
    after = make_wallet(store="sqlite", OTP_MPP_PEPPER=new)
    assert after.caller.verify("tok-bob", other, other_code).code == "SUCCESS"
    assert state_of(after.app).policy == before.state.policy
