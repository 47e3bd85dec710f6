"""The wallet that the servers under test load, with points at which it can be killed.

Its configuration is in a JSON file; ``OTP_MPP_TEST_FAULTS`` is the path.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import Flask

from flask_otp_mpp import Channel, Message, OtpMpp
from flask_otp_mpp.stores import from_url
from tests.faults.kill_points import KillPoints, StoreWithKillPoints, with_kill_point
from tests.wallet import User, load_user

VARIABLE: Final = "OTP_MPP_TEST_FAULTS"
COOL_DOWN: Final = 0.03  # a setting of whole seconds would make the tests wait


def create_app(config: Path) -> Flask:
    """Open the wallet; each message that it sends is one line of JSON in the outbox."""
    values = json.loads(config.read_text())
    outbox, kill_points = Path(values.pop("OUTBOX")), KillPoints(Path(values.pop("KILL_POINT")))
    app = Flask(__name__)
    app.config.update({"OTP_MPP_COOL_DOWN": timedelta(seconds=COOL_DOWN), **values})
    otp = OtpMpp(
        with_kill_point(kill_points),
        store=StoreWithKillPoints(from_url(values["OTP_MPP_STORE"]), kill_points),
    )
    otp.user_loader(load_user)

    @otp.sender(Channel.MOBILE)
    def text(user: User, message: Message) -> None:
        line = json.dumps({"user": user.id, "code": message.code, "pid": os.getpid()})
        kill_points.reached("before-outbox")
        with outbox.open("a") as file:
            file.write(f"{line}\n")
        kill_points.reached("after-outbox")

    otp.init_app(app)
    app.add_url_rule("/pid", "pid", lambda: str(os.getpid()))
    return app


if VARIABLE in os.environ:
    app = create_app(Path(os.environ[VARIABLE]))
