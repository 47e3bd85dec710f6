"""The wallet that the servers under test load, with one SQLite file and one outbox file.

Its configuration is in a JSON file; ``OTP_MPP_TEST_APP`` is the path.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path

from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    AssociationId,
    Channel,
    GoogleStandardPayments,
    Message,
    OtpMpp,
    PhoneNumber,
)
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.testing import FrozenClock
from tests.wallet import User, load_user
from tests.web.google_wallet import by_association, by_number

SLOW_SECONDS = 2


def create_app(config: Path) -> Flask:
    """Open the wallet; each message that it sends is one line of JSON in the outbox.

    It serves merchants and accounts of Google if there are some. A user whose name begins with
    ``slow`` gets a message after two seconds; for one that begins with ``down`` the provider has
    not answered by then. With ``CLOCK`` its time stands still.
    """
    values = json.loads(config.read_text())
    outbox = Path(values.pop("OUTBOX"))
    time_of_all = values.pop("CLOCK", None)
    app = Flask(__name__)
    app.config.update(values)
    google = "OTP_MPP_GOOGLE_ACCOUNTS" in values
    otp = OtpMpp(
        AlipayPlus,
        *([Ams] if "OTP_MPP_AMS_CLIENTS" in values else []),
        *([GoogleStandardPayments] if google else []),
        clock=FrozenClock(datetime.fromisoformat(time_of_all)) if time_of_all else utc_now,
    )
    otp.user_loader(load_user)
    if google:
        otp.user_loader(PhoneNumber)(by_number)
        otp.user_loader(AssociationId)(by_association)

    @otp.sender(Channel.MOBILE)
    def text(user: User, message: Message) -> None:
        if user.id.startswith(("slow", "down")):
            time.sleep(SLOW_SECONDS)
        if user.id.startswith("down"):
            raise TimeoutError
        line = json.dumps({"user": user.id, "code": message.code, "pid": os.getpid()})
        descriptor = os.open(outbox, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    otp.init_app(app)
    app.add_url_rule("/pid", "pid", lambda: str(os.getpid()))
    return app


if "OTP_MPP_TEST_APP" in os.environ:
    app = create_app(Path(os.environ["OTP_MPP_TEST_APP"]))
