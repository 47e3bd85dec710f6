"""The phone and the operator's page, as people use them: by mouse, keyboard and screen reader."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, expect

from example_app.demo.server import serving
from tests.example.browser import (
    DESKTOP,
    PHONE,
    Open,
    Trial,
    chromium,
    errors,
    findings,
    open_page,
    overflow,
    trial,
)

__all__ = ["chromium", "errors", "open_page", "trial"]

pytestmark = [pytest.mark.slow, pytest.mark.server]

PATHS = ["/", "/phone", "/phone?app=mail", "/operator", "/operator?user=user 4"]
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def live(page: Page) -> Page:
    expect(page.locator("#link")).to_have_text("Live")
    return page


def focused(page: Page) -> str:
    """Return the text of the element that has the focus."""
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def tab_to(page: Page, text: str) -> None:
    for _ in range(40):
        if re.fullmatch(text, focused(page), re.DOTALL):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the focus does not come to {text!r}")


def test_a_text_and_an_email_arrive_without_a_reload(trial: Trial, open_page: Open) -> None:
    token = trial.new_user("Lia", "+63 917 555 1001", "lia@mail.example")
    page = live(open_page("/phone?user=lia"))
    expect(page.get_by_text("Nothing has arrived yet")).to_be_visible()
    page.evaluate("window.stayed = true")
    assert trial.caller().send(token).code == "SUCCESS"
    expect(page.locator(".message")).to_have_count(1)
    expect(page.locator("#said")).to_have_text("New SMS")
    assert trial.caller().send(token, verifyType="EMAIL").code == "SUCCESS"
    expect(page.locator(".message")).to_have_count(2)
    first = page.locator(".message").first
    expect(first).to_contain_text("to lia@mail.example")
    expect(page.get_by_text("Nothing has arrived yet")).to_be_hidden()
    assert page.evaluate("window.stayed")


def test_a_message_of_the_other_app_is_counted_there(trial: Trial, open_page: Open) -> None:
    trial.new_user("Mo", "+63 917 555 1002", "mo@mail.example")
    page = live(open_page("/phone?user=mo&app=sms"))
    trial.receive("EMAIL", "mo@mail.example", "hello")
    expect(page.get_by_role("link", name="Mail , 1 new")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
    page.get_by_role("link", name="Mail ,").click()
    expect(page.locator(".message")).to_contain_text("hello")


def test_a_page_says_when_the_wallet_is_gone(
    trial: Trial, open_page: Open, errors: list[str]
) -> None:
    with serving(trial.home) as url:
        phone = live(open_page(f"{url}/phone"))
        operator = open_page(f"{url}/operator")
        expect(operator.locator("#fresh")).to_have_text("Updated every two seconds.")
    expect(phone.locator("#link")).to_have_text("Connecting …", timeout=15_000)
    expect(operator.locator("#fresh")).to_have_text("The wallet does not answer; trying again.")
    assert all("Failed to load resource" in error for error in errors)
    errors.clear()


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "without-leave"])
def test_a_tap_on_a_message_copies_its_code(trial: Trial, open_page: Open, allowed: bool) -> None:
    number = "+63 917 555 1004" if allowed else "+63 917 555 1005"
    trial.new_user("Taro" if allowed else "Tess", number)
    trial.receive("MOBILE", number, "482913 is your code")
    leave = {"permissions": ["clipboard-read", "clipboard-write"]} if allowed else {}
    page = open_page(f"/phone?user={'taro' if allowed else 'tess'}", **leave)
    if not allowed:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject('no'); }")
    page.locator(".message-text").click(force=True)  # the button covers the message
    expect(page.locator("#said")).to_have_text("Copied 482913")
    if allowed:
        assert page.evaluate("navigator.clipboard.readText()") == "482913"
    else:
        assert page.evaluate("getSelection().toString()") == "482913"


def test_the_phone_is_used_by_keyboard_alone(trial: Trial, open_page: Open) -> None:
    trial.new_user("Kai", "+63 917 555 1006")
    trial.receive("MOBILE", "+63 917 555 1006", "571204 is your code")
    page = open_page("/phone")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    tab_to(page, r".*Kai.*")
    page.keyboard.press("Enter")
    page.wait_for_url("**/phone?user=kai*")
    tab_to(page, "Copy 571204")
    outline = page.evaluate(
        "getComputedStyle(document.activeElement.closest('.message')).outlineStyle"
    )
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Copied 571204")
    tab_to(page, "Mail")
    page.keyboard.press("Enter")
    page.wait_for_url("**app=mail*")


def test_an_operator_sees_figures_change_and_unlocks_a_user(trial: Trial, open_page: Open) -> None:
    token = trial.new_user("Olga", "+63 917 555 1007")
    page = open_page("/operator?user=olga")
    expect(page.get_by_text("Nothing is stored of this user")).to_be_visible()
    caller = trial.caller()
    request = caller.send(token).verify_request_id
    for _ in range(3):
        caller.verify(token, request, "0000000")
    expect(page.locator("#state")).to_contain_text(re.compile(r"last right one\s*3"))
    expect(page.locator("#refusals")).to_contain_text("CODE_UNMATCHED")
    page.get_by_text("The same as a table").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#latency-rows tr").first).to_be_visible()
    tab_to(page, "Unlock")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The user is unlocked.")).to_be_visible()
    expect(page.locator("#events")).to_contain_text("operator unlock")


@pytest.mark.parametrize("path", PATHS)
def test_without_javascript_the_pages_show_what_there_is(
    trial: Trial, open_page: Open, path: str
) -> None:
    trial.receive("MOBILE", "+63 917 555 0101", "there is this")
    page = open_page(path, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("codes are shown to anyone who opens this page")).to_be_visible()
    if path == "/phone":
        expect(page.locator(".message").first).to_contain_text("there is this")
        assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_accessible_and_fit_in_light_and_dark_and_on_a_phone(
    trial: Trial, open_page: Open, path: str, tmp_path: Path
) -> None:
    token = trial.new_user(f"User {PATHS.index(path)}", f"+63 917 555 200{PATHS.index(path)}")
    assert trial.caller().send(token).code == "SUCCESS"
    page = open_page(path)
    for scheme, size in itertools.product(SCHEMES, (DESKTOP, PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        page.screenshot(path=tmp_path / f"{scheme}-{size['width']}.png", full_page=True)
        assert overflow(page) == 0
        assert findings(page) == []


def test_nothing_moves_for_people_who_want_that(trial: Trial, open_page: Open) -> None:
    trial.new_user("Rui", "+63 917 555 1008")
    page = live(open_page("/phone?user=rui", reduced_motion="reduce"))
    trial.receive("MOBILE", "+63 917 555 1008", "hello")
    expect(page.locator(".message.new")).to_have_count(1)
    style = "getComputedStyle(document.querySelector('.message')).animationName"
    assert page.evaluate(style) == "none"
