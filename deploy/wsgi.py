"""The app that the deployment serves: the example wallet, behind one proxy. Put yours in its place.

Serve it by ``gunicorn --config deploy/gunicorn.conf.py deploy.wsgi:app``.
"""

from __future__ import annotations

import os

from werkzeug.middleware.proxy_fix import ProxyFix

from example_app import create_app
from flask_otp_mpp import init_metrics

app = create_app(os.environ.get("WALLET_INSTANCE"))

# One proxy: nginx, which overwrites what a caller says of addresses. Limits count by this address.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign] # as Flask says

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    init_metrics(app, path="/metrics")  # on gunicorn's port alone: nginx has no location for it
