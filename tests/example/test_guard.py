"""The pages of the trial answer this machine only, and act only for themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from flask import Flask

from example_app import create_app
from flask_otp_mpp import ConfigurationError
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller

PAGES = ["/", "/phone", "/phone.json", "/phone/stream", "/console", "/operator"]
STRANGERS = {
    "another machine": {"REMOTE_ADDR": "192.0.2.7"},
    "another machine by IPv6": {"REMOTE_ADDR": "2001:db8::7"},
    "a socket without an address": {"REMOTE_ADDR": ""},
    "a proxy": {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    "a proxy by the standard": {"HTTP_FORWARDED": "for=127.0.0.1"},
    "a name that was made to lead here": {"HTTP_HOST": "evil.example:5000"},
    "a name that begins like ours": {"HTTP_HOST": "localhost.evil.example"},
    "a host that is none": {"HTTP_HOST": "127.0.0.1@evil.example"},
}


def unlocked(app: Flask, **headers: str) -> int:
    """Post the form of an operator; return the status of the answer."""
    client = app.test_client()
    return client.post("/operator/unlock", data={"user": "ada"}, headers=headers).status_code


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_is_refused_and_told_why(app: Flask, page: str, who: str) -> None:
    answer = app.test_client().get(page, environ_overrides=STRANGERS[who])
    assert answer.status_code == 403
    assert "These pages" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "[::1]:5000", "LOCALHOST"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_answered_by_its_own_names(app: Flask, host: str, address: str) -> None:
    client = app.test_client()
    answer = client.get(
        "/phone.json", headers={"Host": host}, environ_base={"REMOTE_ADDR": address}
    )
    assert answer.status_code == 200


def test_callers_from_elsewhere_are_still_served(app: Flask, alipayplus: AlipayPlusCaller) -> None:
    app.wsgi_app = from_afar(app.wsgi_app)  # type: ignore[method-assign, assignment]
    assert alipayplus.send("TRIAL_USER").code == "SUCCESS"
    assert app.test_client().get("/phone").status_code == 403


def from_afar(wsgi_app: WSGIApplication) -> WSGIApplication:
    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return wsgi_app({**environ, "REMOTE_ADDR": "192.0.2.7"}, start)

    return serve


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_no_script_of_its_text(
    app: Flask, page: str
) -> None:
    answer = app.test_client().get(page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    answer.close()


@pytest.mark.parametrize("page", ["/", "/phone", "/console", "/operator", "/operator?user=ada"])
def test_every_page_has_the_banner_and_neither_style_nor_script_in_it(
    app: Flask, page: str
) -> None:
    text = app.test_client().get(page).text
    assert "codes are shown to anyone who opens this page" in text
    assert "style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/')


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "https://localhost"},
    ],
    ids=str,
)
def test_a_form_of_another_site_changes_nothing(app: Flask, headers: dict[str, str]) -> None:
    assert unlocked(app, **headers) == 403
    assert "operator unlock" not in app.test_client().get("/operator").text


def test_a_form_of_this_site_is_taken(app: Flask) -> None:
    assert unlocked(app, Origin="http://localhost") == 303


def test_outside_of_a_trial_the_example_does_not_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_OTP_MPP_TRIAL", "false")
    with pytest.raises(ConfigurationError, match="'OTP_MPP_TRIAL': is not on, and the example"):
        create_app(str(home))


def test_with_a_client_of_production_the_example_does_not_start(home: Path) -> None:
    with (home / "config.py").open("a") as config:
        config.write(
            '\nOTP_MPP_ALIPAYPLUS_CLIENTS["5Y001"] = {"1": str(here / "alipayplus.pub")}\n'
        )
    with pytest.raises(ConfigurationError, match="'5Y001' is no client of the sandbox"):
        create_app(str(home))
