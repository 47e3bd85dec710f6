"""Traffic is counted by the network of the caller, however a proxy or a server spells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp import OtpMpp
from flask_otp_mpp.core.settings import ConfigurationError
from tests.wallet import Wallet, open_wallet

LIMITED = "REQUEST_TRAFFIC_EXCEED_LIMIT"
MakeWallet = Callable[..., Wallet]


def behind_a_proxy(app: Flask, _otp: OtpMpp) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]


def codes(make_wallet: MakeWallet, *addresses: str, **settings: Any) -> list[str]:
    """Call from these addresses, by the header of a proxy; return the result codes."""
    wallet = make_wallet(
        prepare=behind_a_proxy,
        **{"OTP_MPP_ADDRESS_LIMIT": f"{len(addresses) - 1} per hour", **settings},
    )
    found = []
    for address in addresses:
        call, _ = wallet.caller.prepare("/sendOTP", {})
        headers = {**call.headers, "x-forwarded-for": address}
        found.append(wallet.caller.deliver(replace(call, headers=headers)).code)
    return [LIMITED if code == LIMITED else "answered" for code in found]


@pytest.mark.parametrize(
    "addresses",
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:41000", "203.0.113.9:41001", "203.0.113.9"),
        ("[2001:db8::9]:41000", "[2001:db8::9]:41001", "[2001:db8::9]"),
        ("2001:DB8::9", "2001:db8:0:0::9", "2001:0db8::0009"),
        ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:0:1:2:3:4"),
        ("::ffff:203.0.113.9", "203.0.113.9", "[::ffff:203.0.113.9]:80"),
        ("fe80::1%eth0", "fe80::1%eth1", "[fe80::2%25eth0]:80"),
        ("unix:", "unix:", "unix:"),
    ],
    ids=" ".join,
)
def test_one_host_is_counted_as_one_however_it_is_spelt(
    addresses: tuple[str, ...], make_wallet: MakeWallet
) -> None:
    """X1: with a port, in brackets, with a zone, IPv4 as IPv6, and all of an IPv6 /64."""
    assert codes(make_wallet, *addresses) == ["answered", "answered", LIMITED]


@pytest.mark.parametrize(
    "addresses",
    [
        ("203.0.113.9", "203.0.113.10", "203.0.113.11"),
        ("2001:db8:0:1::9", "2001:db8:0:2::9", "2001:db8:0:3::9"),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", "::ffff:203.0.113.11"),
        ("unix:/a", "unix:/b", "unknown"),
    ],
    ids=" ".join,
)
def test_other_hosts_are_counted_apart(addresses: tuple[str, ...], make_wallet: MakeWallet) -> None:
    """X1: a neighbour's traffic is not theirs."""
    assert codes(make_wallet, *addresses) == ["answered"] * 3


def test_the_size_of_an_ipv6_network_is_a_setting(make_wallet: MakeWallet) -> None:
    """X1: a provider that gives a /56 to each subscriber, and single hosts."""
    networks = ("2001:db8:0:1::9", "2001:db8:0:2::9", "2001:db8:0:3::9")
    wider = codes(make_wallet, *networks, OTP_MPP_ADDRESS_IPV6_PREFIX=56)
    assert wider == ["answered", "answered", LIMITED]
    hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::3")
    assert codes(make_wallet, *hosts, OTP_MPP_ADDRESS_IPV6_PREFIX=128) == ["answered"] * 3


@pytest.mark.parametrize("bits", [31, 129, "half"])
def test_no_other_size_starts(bits: object) -> None:
    with pytest.raises(ConfigurationError, match="OTP_MPP_ADDRESS_IPV6_PREFIX"):
        open_wallet(OTP_MPP_ADDRESS_IPV6_PREFIX=bits)
