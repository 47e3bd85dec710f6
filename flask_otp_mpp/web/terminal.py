"""What a developer sees of the package on the terminal of ``flask run``."""

from __future__ import annotations

import logging

from flask_otp_mpp.web.open_store import flask_command

logger = logging.getLogger("flask_otp_mpp")


def show_events() -> None:
    """Print each event as a line, if ``flask run`` serves and the host has configured no logging.

    Without that, Python prints warnings only, and a trial call leaves no trace.
    """
    if flask_command() != "run" or logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
