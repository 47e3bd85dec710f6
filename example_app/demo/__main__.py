"""``python -m example_app.demo``: exit status 0 if every answer was the expected one."""

from __future__ import annotations

import http.client
import io
import json
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from example_app import create_app, instance
from example_app.demo.scenarios import (
    DemoInterrupted,
    Step,
    alipayplus_steps,
    google_steps,
    merchant_steps,
)
from example_app.demo.server import ROOT, NotServing, serving
from example_app.demo.transcript import as_data, as_text, summary
from example_app.otp import access_tokens
from example_app.records import Grant, User, records
from flask_otp_mpp import ConfigurationError
from flask_otp_mpp.callers import (
    AlipayPlusCaller,
    AmsCaller,
    GoogleCaller,
    SigningOptions,
    Transport,
    over_http,
)
from flask_otp_mpp.signing import load_private_key, load_public_key


@click.command()
@click.option("--url", help="Call a wallet that is running already (make serve), at this URL.")
@click.option(
    "--instance",
    "home",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    default=ROOT / "instance",
    help="The folder of the wallet's keys and databases, if it is not the usual instance/.",
)
@click.option("--json", "for_programs", is_flag=True, help="Print the transcript as JSON.")
def demo(*, url: str | None, home: Path, for_programs: bool) -> None:
    """Call the example wallet as Alipay+, a merchant and Google, and check every answer.

    Without options it creates the keys and databases that are missing under instance/, serves the
    wallet on a free port of this machine, and stops it in the end. Alipay+ asks for a code for a
    new user, presents a wrong one, the right one, and the right one again, sends a forged
    signature, and calls an API that does not exist. The merchant asks for a code, sends the same
    request again, and presents a wrong code and the right one. Google does the same with encrypted
    messages, and sends a forged signature.

    The exit status is 0 if each answer was the expected one, each with a body was signed by the
    wallet, and no message was sent twice; it is 1 if not, or if the wallet did not start. One
    answer has no body: Google's documents want none for a caller who is not authenticated.
    """
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that a killed demo stops its server
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have the ticks
    steps: list[Step] = []
    try:
        with _wallet(url, home) as address:
            if not for_programs:
                click.echo(f"The wallet answers at {address}\n")
            for step in _play(address, home):
                steps.append(step)
                if not for_programs:
                    click.echo(as_text(len(steps), step) + "\n")
    except (DemoInterrupted, ConfigurationError, NotServing) as fault:
        raise click.ClickException(str(fault)) from None
    if for_programs:
        click.echo(json.dumps([as_data(step) for step in steps], indent=2))
    else:
        click.echo(summary(steps))
    sys.exit(0 if all(step.passed for step in steps) else 1)


@contextmanager
def _wallet(url: str | None, home: Path) -> Iterator[str]:
    """Return the URL of the wallet of a folder: of one that runs, or of one that is started."""
    if url is None:
        instance.fill(home)
        with serving(home) as address:
            yield address
    elif (home / "config.py").is_file():
        yield url
    else:
        raise click.UsageError(f"{home} is not the folder of a wallet; name it by --instance")


def _play(address: str, home: Path) -> Iterator[Step]:
    try:
        wallet = over_http(address)
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="--url") from None
    alipayplus = AlipayPlusCaller(
        wallet, psp_id=instance.PSP_ID, **signing(home, instance.CLIENT_ID, "alipayplus.pem")
    )
    google = _google(home, wallet)
    merchant = AmsCaller(wallet, **signing(home, instance.MERCHANT_ID, "merchant.pem"))
    try:
        guest = new_user(home, instance.CLIENT_ID)
        yield from alipayplus_steps(alipayplus, wallet, guest.token, guest.phone)
        guest = new_user(home, instance.MERCHANT_ID)
        yield from merchant_steps(merchant, wallet, guest.token, guest.phone)
        guest = new_user(home, "google")
        yield from google_steps(google, wallet, guest.association, guest.phone)
    except (OSError, http.client.HTTPException) as error:
        raise DemoInterrupted(f"the wallet at {address} can't be reached: {error}") from None


def _google(home: Path, wallet: Transport) -> GoogleCaller:
    keys = {"our_keys": str(home / "google.jwks"), "their_keys": str(home / "wallet.pub.jwks")}
    return GoogleCaller.from_account(wallet, {"envelope": "jose", **keys})


def signing(home: Path, client: str, key: str) -> SigningOptions:
    """Return how a caller signs, and the wallet's key, from the files of an instance folder."""
    return {
        "client_id": client,
        "key": load_private_key(str(home / key)),
        "server_keys": {"1": load_public_key(str(home / "wallet.pub"))},
    }


@dataclass(frozen=True, slots=True)
class Guest:
    """A new user for one run: access token, association, and the phone for the codes."""

    token: str
    association: str
    phone: str


def new_user(home: Path, client: str) -> Guest:
    """Create a user for this run, so that no cool-down of an earlier run applies.

    :param client: the one that gets the access token.
    """
    number = secrets.randbelow(10**7)
    phone = f"+63 918 {number // 10_000:03d} {number % 10_000:04d}"
    user = User(id=f"guest-{secrets.token_hex(4)}", name="A guest of the demo", phone=phone)
    grant = Grant(user_id=user.id)
    with create_app(str(home)).app_context():
        with records() as session, session.begin():
            session.add_all([user, grant])
        return Guest(access_tokens().mint(grant.id, client=client), grant.id, phone)


if __name__ == "__main__":
    demo(prog_name="python -m example_app.demo")
