"""The pages of a trial: what users receive, what callers send, and what an operator sees.

Nothing here belongs into a wallet that serves customers: what a wallet copies is
:mod:`example_app.otp`.
"""

from __future__ import annotations

from flask import Flask

from example_app.trial import console, operator, phone, stream
from example_app.trial.mail_server import MailServer
from example_app.trial.statistics import Statistics
from flask_otp_mpp import ConfigurationError

PAGES = (phone.pages, console.pages, operator.pages)


def init_app(app: Flask) -> None:
    """Register the pages of the trial.

    :raises ConfigurationError: if the app is not in the acceptance mode: its pages show codes.
    """
    if not app.config.get("OTP_MPP_TRIAL"):
        finding = (
            "is not on, and the example wallet shows its codes to whoever opens its pages; set it "
            "to true for a trial, and serve customers by an app of your own"
        )
        raise ConfigurationError([("OTP_MPP_TRIAL", finding)])
    stream.init_app(app)
    app.extensions["mail_server"] = MailServer(app)
    app.extensions["statistics"] = statistics = Statistics()
    statistics.connect(app)
    for pages in PAGES:
        app.register_blueprint(pages)
