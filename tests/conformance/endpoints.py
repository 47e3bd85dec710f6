"""Endpoints for the kit to test, and the TOML files that describe them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import make_server

from flask_otp_mpp.conformance.case import GOOGLE, Wire
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.stores import Store
from tests.ams import MERCHANT, OTHER
from tests.conformance.google_sides import kit_account, kit_tables, wallet_accounts
from tests.conformance.wallet_app import NO_EMAIL, SECOND, create_app
from tests.wallet import ACQUIRER, CLIENT, PSP, key, make_tables, settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SECOND_CLIENT: Final = "SANDBOX_5Y00000000000002"
CLIENTS: Final = {Wire.ALIPAYPLUS: (CLIENT, SECOND_CLIENT), Wire.AMS: (MERCHANT, OTHER)}
KEYS: Final = ("conformance client", "conformance second client")
PREFIXES: Final = {
    Wire.ALIPAYPLUS: "",
    Wire.AMS: "",
    Wire.GOOGLE_JOSE: "/google",
    Wire.GOOGLE_PGP: "/google",
}
USERS: Final = 500


def wallet_settings(wire: Wire, folder: Path, store: str) -> dict[str, Any]:
    """Return the settings of the wallet that serves a protocol to two clients, or accounts."""
    if store.startswith(("sqlite", "postgresql", "mysql")):
        make_tables(store)
    if wire in GOOGLE:
        google: dict[str, Any] = {
            "OTP_MPP_ALIPAYPLUS_CLIENTS": None,
            "OTP_MPP_ALIPAYPLUS_PSP_ID": None,
            "OTP_MPP_GOOGLE_ACCOUNTS": wallet_accounts(wire),
            "OTP_MPP_DELIVERIES": 64,
        }
        return {**settings(store, **google), "FOLDER": str(folder)}
    clients = {
        name: {"1": one_line(key(label).public_key())}
        for name, label in zip(CLIENTS[wire], KEYS, strict=True)
    }
    names = {Wire.ALIPAYPLUS: "OTP_MPP_ALIPAYPLUS_CLIENTS", Wire.AMS: "OTP_MPP_AMS_CLIENTS"}
    changed: dict[str, Any] = {
        "OTP_MPP_ALIPAYPLUS_CLIENTS": None,
        names[wire]: clients,
        "OTP_MPP_DELIVERIES": 64,  # the kit plays cases beside each other
    }
    if wire is Wire.AMS:
        changed["OTP_MPP_ALIPAYPLUS_PSP_ID"] = None
    return {
        **settings(store, **changed),
        "FOLDER": str(folder),
        "SECOND_CLIENT": CLIENTS[wire][1],
    }


def kit_file(wire: Wire, folder: Path, base_url: str, **changed: Any) -> Path:
    """Write the TOML file for that wallet; return its path.

    :param changed: further tables and values, or others; one of None is left out.
    """
    tables: dict[str, Any] = {
        "protocol": str(wire),
        "base_url": f"{base_url}{PREFIXES[wire]}",
        **(_google_tables(wire) if wire in GOOGLE else _signed_tables(wire)),
        "inbox": {"kind": "json", "url": f"{base_url}/inbox/{{user}}", "pointer": "/-"},
        "clock": {"command": ["sh", "-c", f"echo {{seconds}} >> '{folder / 'clock'}'"]},
        **changed,
    }
    path = folder / f"{wire}.toml"
    path.write_text(to_toml({name: one for name, one in tables.items() if one is not None}))
    return path


@contextmanager
def served(
    wire: Wire,
    folder: Path,
    store: str = "memory://",
    *,
    make_store: Callable[[Clock], Store] | None = None,
    wrap: Callable[[WSGIApplication], WSGIApplication] | None = None,
    kit: Mapping[str, Any] = MappingProxyType({}),
    **changed: Any,
) -> Iterator[Path]:
    """Serve the wallet from a thread of this process; give the kit's file for it.

    :param make_store: makes the store, in place of the one that is named.
    :param wrap: puts something between the server and the wallet.
    :param kit: further tables and values of the kit's file, or others.
    :param changed: further settings of the wallet.
    """
    app = create_app({**wallet_settings(wire, folder, store), **changed}, make_store)
    server = make_server("127.0.0.1", 0, wrap(app) if wrap else app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield kit_file(wire, folder, f"http://127.0.0.1:{server.server_port}", **kit)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def to_toml(tables: Mapping[str, Any], name: str = "") -> str:
    """Write values and tables of values; JSON's texts, numbers and lists are TOML's, too."""
    lines = [f"\n[{name}]"] if name else []
    lines += [
        f"{json.dumps(key)} = {json.dumps(one)}"
        for key, one in tables.items()
        if not _is_table(one)
    ]
    return (
        "\n".join(lines)
        + "\n"
        + "".join(
            to_toml(table, f"{name}.{key}" if name else key)
            for key, table in tables.items()
            if _is_table(table)
        )
    )


def _google_tables(wire: Wire) -> dict[str, Any]:
    return {"google": kit_account(wire), "tokens": kit_tables()}


def _signed_tables(wire: Wire) -> dict[str, Any]:
    first, second = (_client(wire, number) for number in (0, 1))
    return {
        "client": first,
        "second_client": {**second, "token": f"{SECOND}tok-shared"},
        "wallet_keys": {"1": one_line(key("wallet").public_key())},
        "tokens": {
            "template": "tok-user{n}",
            "second_client": f"{SECOND}tok-user{{n}}",
            "count": USERS,
            "email": True,
            "expired": "expired",
            "unknown": "no-such-token",
            "no_scope": "unscoped",
            "frozen": "frozen",
            "missing": "gone",
            "no_email": NO_EMAIL,
        },
    }


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _client(wire: Wire, number: int) -> dict[str, str]:
    who = {"id": CLIENTS[wire][number], "private_key": private_pem(key(KEYS[number])).decode()}
    ids = {"acquirer_id": ACQUIRER, "psp_id": PSP} if wire is Wire.ALIPAYPLUS else {}
    return {**who, **ids}
