"""Commands that prepare a trial: ``flask --app example_app wallet ...``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup

from example_app import instance
from example_app.otp import TOKEN_LIFE, access_tokens
from example_app.records import Grant, User, grant_in_force, records
from flask_otp_mpp.signing import SEND_OTP

wallet = AppGroup("wallet", help="Prepare a trial: keys, users, access tokens.")


@wallet.command()
@click.option("--fresh", is_flag=True, help="Delete what there is, and create all of it again.")
def setup(*, fresh: bool) -> None:
    """Create keys, configuration and databases that are missing."""
    folder = Path(current_app.instance_path)
    if fresh:
        instance.clear(folder)
        made = instance.fill(folder)
        click.echo(f"Made anew: {', '.join(made)}. Restart the wallet if it is running.")
    click.echo(f"The wallet in {folder} is ready. Its users: flask --app example_app wallet users")


@wallet.command()
def users() -> None:
    """List the users with their grants."""
    with records() as session:
        by_grant = sa.select(Grant, User).join(User, User.id == Grant.user_id, isouter=True)
        for grant, user in session.execute(by_grant.order_by(Grant.user_id)):
            click.echo(f"{grant.user_id:<16} {_describe(grant, user)}")


@wallet.command()
@click.argument("user")
@click.option(
    "--client",
    default=instance.CLIENT_ID,
    show_default=True,
    help=f"The client that gets the token; {instance.MERCHANT_ID} is the merchant.",
)
@click.option("--expired", is_flag=True, help="Make a token that has expired.")
@click.option("--no-scope", is_flag=True, help=f"Leave out the scope {SEND_OTP}.")
def token(*, user: str, client: str, expired: bool, no_scope: bool) -> None:
    """Print a new access token of a user, valid for one client."""
    scopes = () if no_scope else (SEND_OTP,)
    age = TOKEN_LIFE + timedelta(minutes=1) if expired else timedelta()
    click.echo(access_tokens(age).mint(_grant_of(user).id, scopes, client=client))


@wallet.command()
@click.argument("user")
def revoke(user: str) -> None:
    """Revoke a user's grant, and with it all their access tokens."""
    with records() as session, session.begin():
        session.add(grant := _grant_of(user))
        grant.revoked = True
    click.echo(f"The tokens that {user} had are void; `wallet token {user}` makes a new grant.")


def _grant_of(user: str) -> Grant:
    """Return the valid grant of a user; create one if there is none."""
    with records() as session, session.begin():
        grant = grant_in_force(session, user)
        if grant is None and session.get(User, user) is None:
            raise click.UsageError(f"there is no user {user!r}; `wallet users` lists them")
        if grant is None:
            session.add(grant := Grant(user_id=user))
    return grant


def _describe(grant: Grant, user: User | None) -> str:
    if user is None:
        account = "account closed"
    else:
        status = "frozen" if user.frozen else "active"
        account = f"{status}, {user.phone or 'no phone'}, {user.email or 'no e-mail'}"
    return f"{account}, grant revoked" if grant.revoked else account
