"""A wallet with Flask-SQLAlchemy, -Migrate, -Login, -WTF and -Limiter, and logs in JSON.

It reads its configuration from the environment, as a deployed one does. The package has its tables
in the host's own database, where the host's migrations make them. Messages go to a table.
"""

from __future__ import annotations

import json
import logging
import uuid

from flask import Flask, Response, jsonify, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user, login_required, login_user
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp import AlipayPlus, Caller, Channel, Message, OtpMpp, Reason, refuse
from flask_otp_mpp.stores import attach_tables


class Base(DeclarativeBase):
    """The host's models."""


class Customer(Base):
    """Somebody who has the wallet."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    phone: Mapped[str]
    frozen: Mapped[bool] = mapped_column(default=False)
    is_authenticated = is_active = True  # for Flask-Login
    is_anonymous = False

    def get_id(self) -> str:
        return str(self.id)


class Outbox(Base):
    """A message that was handed to the provider."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(primary_key=True)
    customer: Mapped[str]
    code: Mapped[str]


class JsonLines(logging.Formatter):
    """Write each record as one line of JSON, with whatever a logger has added to it."""

    _usual = frozenset(vars(logging.makeLogRecord({})))

    def format(self, record: logging.LogRecord) -> str:
        more = {key: str(value) for key, value in vars(record).items() if key not in self._usual}
        fields = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({**fields, **more})


attach_tables(Base.metadata)
db = SQLAlchemy(model_class=Base)
migrate = Migrate()
login = LoginManager()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address)
otp = OtpMpp(AlipayPlus)


def customer_of_session(key: str) -> Customer | None:
    return db.session.get(Customer, int(key))


login.user_loader(customer_of_session)


@otp.user_loader
def customer_of(access_token: str, _caller: Caller) -> Customer | None:
    name = access_token.removeprefix("tok-")
    customer: Customer | None = db.session.scalar(db.select(Customer).filter_by(name=name))
    if customer is not None and customer.frozen:
        refuse(Reason.USER_ABNORMAL)
    return customer


@otp.sender(Channel.MOBILE)
def text(customer: Customer, message: Message) -> None:
    db.session.add(Outbox(id=uuid.uuid4().hex, customer=customer.name, code=message.code))
    db.session.commit()


def create_app() -> Flask:
    """Make the app; the order of the extensions is that of their documentation."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    app.config["RATELIMIT_DEFAULT"] = "20 per minute"
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db, directory=app.config["MIGRATIONS"])
    login.init_app(app)
    otp.init_app(app)
    csrf.init_app(app)
    limiter.init_app(app)
    _add_pages(app)
    return app


def _add_pages(app: Flask) -> None:
    """Add the pages of the host: a form to sign in, and a page for those who did."""

    @app.get("/login")
    def form() -> str:
        return str(generate_csrf())

    @app.post("/login")
    def sign_in() -> Response:
        found = db.session.scalar(db.select(Customer).filter_by(name=request.form["name"]))
        return jsonify(signed_in=found is not None and login_user(found))

    def me() -> Response:
        return jsonify(name=current_user.name)

    app.add_url_rule("/me", view_func=login_required(me))
