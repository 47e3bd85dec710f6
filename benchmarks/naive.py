"""The peers ``naive`` and ``naive-sdk``: the two calls as they are written in a day.

They use an ORM, Flask-Limiter's decorator, and counts that are read and written back. BENCH_CRYPTO
says how keys are loaded: ``once`` at start-up, or by ``sdk`` in every request with pycryptodome, as
payment SDKs do. Do not serve this: it has race conditions.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from flask import Flask, Response, current_app, jsonify, request
from flask_limiter import Limiter
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from benchmarks.naive_keys import keys_of


class Base(DeclarativeBase):
    """The base of the tables."""


class User(Base):
    """A user of the wallet."""

    __tablename__ = "user_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(128), unique=True)
    phone: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(80))
    status: Mapped[int]


class Otp(Base):
    """A code that was sent."""

    __tablename__ = "otp"
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    user: Mapped[User] = relationship()
    code_hash: Mapped[str] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    used: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


db = SQLAlchemy(model_class=Base)


def create_app(settings: Mapping[str, str] = os.environ) -> Flask:
    """Make the app; BENCH_STORE is a SQLAlchemy URL, BENCH_KEYS a folder."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings["BENCH_STORE"]
    app.config["CODE"] = settings.get("BENCH_CODE")
    app.config["KEYS"] = keys_of(settings)
    db.init_app(app)
    limiter = Limiter(
        lambda: request.headers.get("Client-Id", "-"),
        app=app,
        storage_uri="memory://",
        headers_enabled=True,
    )
    often = limiter.limit("1000000/minute")
    app.post("/aps/api/v1/users/sendOTP")(often(send_otp))
    app.post("/aps/api/v1/users/verifyOTP")(often(verify_otp))
    return app


def send_otp() -> Response:
    """Answer sendOTP."""
    if not _signed():
        return _reply("INVALID_SIGNATURE")
    fields = request.get_json()
    if not all(fields.get(name) for name in ("acquirerId", "pspId", "accessToken")):
        return _reply("PARAM_ILLEGAL")
    user = db.session.query(User).filter_by(token=fields["accessToken"]).first()
    if user is None:
        return _reply("INVALID_TOKEN")
    if user.status != 1:
        return _reply("USER_STATUS_ABNORMAL")
    lately = Otp.created_at > _now() - timedelta(hours=1)
    if db.session.query(Otp).filter(Otp.user_id == user.id, lately).count() >= 1000:
        return _reply("OTP_SEND_TIMES_EXCEED_LIMIT")
    code = current_app.config["CODE"] or str(random.randint(100000, 999999))  # noqa: S311 - naive
    otp = Otp(
        request_id=uuid.uuid4().hex,
        user=user,
        code_hash=hashlib.sha256(code.encode()).hexdigest(),
        created_at=_now(),
        expires_at=_now() + timedelta(minutes=5),
    )
    db.session.add(otp)
    db.session.commit()
    return _reply("SUCCESS", "S", verifyRequestId=otp.request_id)


def verify_otp() -> Response:
    """Answer verifyOTP."""
    if not _signed():
        return _reply("INVALID_SIGNATURE")
    fields = request.get_json()
    names = ("acquirerId", "pspId", "accessToken", "verifyRequestId", "otpCode")
    if not all(fields.get(name) for name in names):
        return _reply("PARAM_ILLEGAL")
    user = db.session.query(User).filter_by(token=fields["accessToken"]).first()
    if user is None:
        return _reply("INVALID_TOKEN")
    wanted = {"request_id": fields["verifyRequestId"], "user_id": user.id}
    otp = db.session.query(Otp).filter_by(**wanted).first()
    if otp is None or otp.used or otp.expires_at < _now():
        return _reply("VERIFY_REQUEST_ID_INVALID")
    if otp.attempts >= 5:
        return _reply("OTP_VERIFY_TIMES_EXCEED_LIMIT")
    otp.attempts += 1
    matched = otp.code_hash == hashlib.sha256(fields["otpCode"].encode()).hexdigest()
    if matched:
        otp.used = True
    db.session.commit()
    return _reply("SUCCESS", "S") if matched else _reply("OTP_VERIFY_UNMATCHED")


def _signed() -> bool:
    parts = (part.strip().split("=", 1) for part in request.headers["Signature"].split(","))
    signature = base64.b64decode(unquote(dict(parts)["signature"]))
    named = f"{request.headers['Client-Id']}.{request.headers['Request-Time']}"
    text = f"POST {request.path}\n{named}.{request.get_data(as_text=True)}"
    return bool(current_app.config["KEYS"].holds(signature, text.encode()))


def _reply(code: str, status: str = "F", **more: Any) -> Response:
    message = code.replace("_", " ").capitalize()
    result = {"resultCode": code, "resultStatus": status, "resultMessage": message}
    response = jsonify(result=result, **more)
    client, moment = request.headers["Client-Id"], datetime.now(UTC).isoformat(timespec="seconds")
    text = f"POST {request.path}\n{client}.{moment}.{response.get_data(as_text=True)}"
    signature = base64.b64encode(current_app.config["KEYS"].sign(text.encode())).decode()
    response.headers["Client-Id"] = client
    response.headers["Response-Time"] = moment
    response.headers["Signature"] = (
        f"algorithm=RSA256, keyVersion=1, signature={quote(signature, safe='')}"
    )
    return response


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
