"""The caller's console as people use it: the whole trial for each protocol, and each fault."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from example_app.trial.console.faults import FAULTS, NONE, Fault, Manner, faults_at
from flask_otp_mpp import Operation
from tests.example.browser import (
    PHONE,
    Open,
    chromium,
    errors,
    findings,
    open_page,
    overflow,
    trial,
)
from tests.example.console import PROTOCOLS, SENDS, VERIFIES, Codes

__all__ = ["chromium", "errors", "open_page", "trial"]

pytestmark = [pytest.mark.slow, pytest.mark.server]

SPENDING = (Manner.ONCE, Manner.TWICE, Manner.WRONG_CODES)
"""Ways to make a request: after the second one the code is used, so another is sent."""
USERS = dict(zip(PROTOCOLS, ("ada", "nora", "ada"), strict=True))
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "light": ("google", {"color_scheme": "light"}),
    "dark": ("alipayplus", {"color_scheme": "dark"}),
    "phone": ("google", {"color_scheme": "light", "viewport": PHONE}),
    "phone-dark": ("google", {"color_scheme": "dark", "viewport": PHONE}),
}


def reset(page: Page) -> None:
    """Let a code be sent at once, whatever was sent before."""
    page.get_by_role("button", name="Reset this user").click()
    expect(page.locator("#last.notice.good")).to_contain_text("A code may be sent now")


def send(page: Page, fault: Fault = NONE) -> None:
    page.locator(f"#send-{fault.id}").check()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#round-1")).to_be_visible(timeout=30_000)  # a burst has 31 requests


def verify(page: Page, code: str, fault: Fault = NONE) -> None:
    rounds = page.locator(".round").count()
    page.locator(f"#verify-{fault.id}").check()
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.locator(".round")).to_have_count(rounds + 1)


def badges(page: Page) -> str:
    """Return the codes of the last round."""
    return " ".join(page.locator("#last .badge").all_inner_texts())


def code_on_phone(page: Page) -> str:
    """Return the newest code, as a program reads it."""
    found = page.request.get(page.url.partition("/console")[0] + "/phone.json").json()
    return str(found[0]["text"]).split()[0]


def expected(table: Codes, fault: Fault, protocol: str) -> str:
    found = table[fault.id][PROTOCOLS.index(protocol)]
    assert found is not None
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_whole_trial_from_send_to_success(open_page: Open, protocol: str) -> None:
    """The message arrives on the phone in another tab by itself; its code is copied from there."""
    user = USERS[protocol]
    leave = ["clipboard-read", "clipboard-write"]
    page = open_page(f"/console?protocol={protocol}&user={user}", permissions=leave)
    reset(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="user's phone").click()
    phone = opened.value
    expect(phone.locator("#link")).to_have_text("Live")
    before = phone.locator(".message").count()
    send(page)
    assert badges(page) == "SUCCESS"
    expect(phone.locator(".message")).to_have_count(before + 1)
    phone.bring_to_front()
    phone.locator(".message .copy").first.click()
    expect(phone.locator("#said")).to_contain_text("Copied")
    page.bring_to_front()
    page.get_by_label("Code", exact=True).focus()
    page.keyboard.press("Control+V")
    page.keyboard.press("Enter")
    expect(page.locator("#round-2")).to_be_visible()
    assert badges(page) == "SUCCESS"
    expect(page.locator("#last")).to_contain_text("signed by the wallet")
    assert page.locator("#round-1").is_visible()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_fault_of_a_send_is_switched_on(open_page: Open, protocol: str) -> None:
    page = open_page(f"/console?protocol={protocol}&user={USERS[protocol]}")
    for fault in faults_at(protocol, Operation.SEND):
        reset(page)
        send(page, fault)
        assert badges(page) == expected(SENDS, fault, protocol), fault.id
        if fault is not NONE:
            expect(page.locator("#last .notice")).to_contain_text(fault.reason(protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_fault_of_an_attempt_is_switched_on(open_page: Open, protocol: str) -> None:
    page = open_page(f"/console?protocol={protocol}&user={USERS[protocol]}")
    reset(page)
    send(page)
    code = code_on_phone(page)
    faults = [one for one in faults_at(protocol, Operation.VERIFY) if one is not NONE]
    for fault in sorted(faults, key=lambda one: SPENDING.index(one.manner)):
        if fault.manner is Manner.WRONG_CODES:
            reset(page)
            send(page)
            code = code_on_phone(page)
        verify(page, code, fault)
        assert badges(page) == expected(VERIFIES, fault, protocol), fault.id
        expect(page.locator("#last .notice")).to_contain_text(fault.reason(protocol))


def test_the_console_works_without_javascript(open_page: Open) -> None:
    page = open_page("/console?protocol=ams&user=nora", java_script_enabled=False)
    reset(page)
    send(page)
    assert badges(page) == "SUCCESS"
    verify(page, code_on_phone(page))
    assert badges(page) == "SUCCESS"
    assert page.get_by_role("button", name="Copy").count() == 0


def test_what_came_has_the_focus_and_is_said(open_page: Open) -> None:
    """A reader who sees no page hears the code, and goes on from it by keyboard."""
    page = open_page("/console?user=fred")
    page.evaluate("window.stayed = true")
    page.get_by_label("Channel").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#console-status")).to_have_text("sendOTP: wrong key: INVALID_SIGNATURE")
    assert page.evaluate("document.activeElement.id") == "last"
    assert page.evaluate("window.stayed")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The caller signs this text")).to_be_visible()


def test_a_text_is_copied_to_the_byte(open_page: Open) -> None:
    leave = ["clipboard-read", "clipboard-write"]
    page = open_page("/console?user=fred", permissions=leave)
    send(page)
    page.get_by_text("The caller signs", exact=True).click()
    page.get_by_role("button", name="Copy: String-to-sign of the request").click()
    expect(page.locator("#console-status")).to_contain_text("Copied: String-to-sign")
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert copied == page.locator("#last pre").first.text_content()
    assert copied.startswith("POST /aps/api/v1/users/sendOTP\nSANDBOX_")


def test_a_wallet_that_does_not_answer_is_said_not_to(open_page: Open, errors: list[str]) -> None:
    page = open_page("/console?user=fred")
    page.route("**/console/send", lambda route: route.abort())
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("form .notice.bad")).to_contain_text("The wallet did not answer")
    assert ["ERR_FAILED" in one for one in errors] == [True]
    errors.clear()
    page.unroute("**/console/send")
    send(page)
    assert badges(page) == "USER_STATUS_ABNORMAL"
    expect(page.locator(".notice.bad")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_a_console_is_readable_in_every_look(open_page: Open, look: str) -> None:
    """Axe finds nothing serious, and nothing is wider than the window; with all texts open."""
    protocol, options = LOOKS[look]
    page = open_page(f"/console?protocol={protocol}&user=ada", **options)
    assert (findings(page), overflow(page)) == ([], 0)
    reset(page)
    send(page)
    verify(page, code_on_phone(page), next(one for one in FAULTS if one.id == "wrong-codes"))
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert (findings(page), overflow(page)) == ([], 0)
