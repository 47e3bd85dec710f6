"""``flask otp-mpp``: make keys and tables, keep house, look up codes, and play the caller.

It is a plugin of Flask's command line, so that keys can be made before an app can start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.cli import AppGroup

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.web import doc_tables as reference
from flask_otp_mpp.web.cli.simulate import simulate
from flask_otp_mpp.web.extension import state_of

T = TypeVar("T")

cli = AppGroup("otp-mpp", help="Make keys and tables for flask-otp-mpp, and try it out.")
cli.add_command(simulate)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@cli.command(with_appcontext=False)
@click.option(
    "--bits",
    type=click.Choice(["2048", "3072", "4096"]),
    default="2048",
    show_default=True,
    help="Key size. Signing costs three times as much at 3072 bits, six times at 4096.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("otp-mpp-private.pem"),
    show_default=True,
    help="Where the private key goes. An existing file is never overwritten.",
)
@click.option(
    "--jwks",
    metavar="NAME",
    help="Make JWK sets for a Google account instead: a key to sign and one to decrypt by, named "
    "NAME-sig and NAME-enc.",
)
@as_json
def keygen(bits: str, out: Path, jwks: str | None, as_json: bool) -> None:
    """Make the wallet's RSA key.

    The private key is written for its owner only; put its path into OTP_MPP_PRIVATE_KEYS. The one
    line of public key that is printed is what you upload to Alipay+. With --jwks the path belongs
    into 'our_keys' of an account, and what is printed is what Google gets.
    """
    if jwks is None:
        key = rsa.generate_private_key(65537, int(bits))
        secret, public = private_pem(key), one_line(key.public_key())
    else:
        private_set, public = generate_jwk_sets(jwks, int(bits))
        secret = private_set.encode()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{out} exists; choose another --out, keys are kept") from None
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    if as_json:
        click.echo(json.dumps({"private_key": str(out), "public_key": public, "bits": int(bits)}))
        return
    click.echo(f"The private key is in {out}, readable by its owner only.", err=True)
    click.echo("Upload this public key:", err=True)
    click.echo(public)


@cli.command("init-db")
def init_db() -> None:
    """Create the tables of the OTP store that are missing."""
    store = state_of().store
    if not isinstance(store, SQLAlchemyStore):
        click.echo(f"{type(store).__name__} needs no tables.")
        return
    _try(store.create_tables)
    _try(store.check)  # tables that were there before may be of another make
    click.echo("The tables are there.")


@cli.command("upgrade-db")
def upgrade_db() -> None:
    """Bring the tables of the OTP store to the newest revision.

    Needs Alembic: pip install 'flask-otp-mpp[migrations]'. A host that took the tables into its own
    MetaData upgrades them by its own migrations instead.
    """
    store = state_of().store
    if not isinstance(store, SQLAlchemyStore):
        click.echo(f"{type(store).__name__} needs no tables.")
        return
    try:
        _try(store.upgrade_tables)
    except ModuleNotFoundError:
        raise click.ClickException(
            "Alembic is missing; pip install 'flask-otp-mpp[migrations]'"
        ) from None
    click.echo("The tables are up to date.")


@cli.command()
@click.option("--batch", default=1000, show_default=True, help="Rows deleted a transaction.")
@as_json
def purge(batch: int, as_json: bool) -> None:
    """Delete what can no longer change any answer; run it about once an hour."""
    state = state_of()
    rows = _try(lambda: state.store.purge(state.policy, batch=batch))
    click.echo(json.dumps({"deleted": rows}) if as_json else f"{rows} rows deleted.")


@cli.command()
@click.argument("subject")
def unlock(subject: str) -> None:
    """Lift a user's lock and forget their failures.

    SUBJECT is the user as the user_identity hook names it.
    """
    lifted = _try(lambda: state_of().store.unlock(subject))
    click.echo("The user may try again." if lifted else "There was nothing to forget.")


@cli.command(with_appcontext=False)
@as_json
@click.option("--markdown", is_flag=True, help="Print the documentation's table.")
def codes(as_json: bool, markdown: bool) -> None:
    """Show what each protocol answers for each reason."""
    head, rows = reference.REASON_HEAD, reference.reason_rows()
    if markdown:
        for protocol in reference.PROTOCOLS:
            click.echo(reference.markdown(reference.CODE_HEAD, reference.code_rows(protocol)))
        return
    _table(head, rows, as_json)


@cli.command(with_appcontext=False)
@as_json
@click.option("--markdown", is_flag=True, help="Print the documentation's table.")
def settings(as_json: bool, markdown: bool) -> None:
    """Show every OTP_MPP_* key with its default and meaning."""
    head, rows = reference.SETTING_HEAD, reference.setting_rows()
    if markdown:
        click.echo(reference.markdown(head, rows))
        return
    _table(head, rows, as_json)


def _table(head: reference.Row, rows: Sequence[reference.Row], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=2))
    else:
        click.echo(reference.plain(head, rows))


def _try(work: Callable[[], T]) -> T:
    try:
        return work()
    except UnfitStore as unfit:
        raise click.ClickException(str(unfit)) from None
    except StoreError as error:
        raise click.ClickException(
            f"{error}; is OTP_MPP_STORE right, and were the tables made by `flask otp-mpp init-db`?"
        ) from None
