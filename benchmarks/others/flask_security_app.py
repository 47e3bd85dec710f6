"""The peer ``flask-security``: its unified sign-in by a code, by the JSON API of its own views.

The secret of a user's codes is in the database. A code follows from the secret and the time, so a
send writes nothing. Of the methods only e-mail is on, so that no password is tried.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore
from flask_security.models import fsqla_v3
from flask_security.totp import Totp
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from benchmarks.others import outbox

TOTP_SECRETS: Final = {"1": "k" * 43}
ISSUER: Final = "wallet"

db: Any = SQLAlchemy()
fsqla: Any = fsqla_v3  # which has no types
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[misc] # db has no type
    """A role; none is used."""


class User(db.Model, fsqla.FsUserMixin):  # type: ignore[misc] # db has no type
    """A user."""


class Mail(MailUtil):
    """Writes messages into the outbox."""

    def send_mail(  # noqa: PLR0917 - as the library calls it
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **_context: Any,
    ) -> None:
        outbox.put(str(recipient), body or "")


def create_app(settings: Mapping[str, str] = os.environ) -> Flask:
    """Make the app; BENCH_STORE is a SQLAlchemy URL."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="k" * 50,
        SECURITY_PASSWORD_SALT="s" * 32,
        SECURITY_TOTP_SECRETS=TOTP_SECRETS,
        SECURITY_TOTP_ISSUER=ISSUER,
        SECURITY_UNIFIED_SIGNIN=True,
        SECURITY_US_ENABLED_METHODS=["email"],
        SECURITY_EMAIL_SENDER="wallet@example.com",
        # As its documentation says for JSON without a session: a call that signs in needs no token.
        WTF_CSRF_CHECK_DEFAULT=False,
        SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS=True,
        SQLALCHEMY_DATABASE_URI=settings["BENCH_STORE"],
    )
    CSRFProtect(app)
    db.init_app(app)
    Security(app, SQLAlchemyUserDatastore(db, User, Role), mail_util_cls=Mail)
    return app


def new_secret() -> str:
    """Return a secret for codes, encrypted as the library keeps it."""
    return Totp(TOTP_SECRETS, ISSUER).generate_totp_secret()


if __name__ == "__main__":
    made = create_app()
    with made.app_context():
        db.create_all()
