"""Metrics for Prometheus: count events in a registry, and show it if asked to.

The only place where the package needs prometheus-client (extra ``prometheus``), and it is imported
only by what is called here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from flask_otp_mpp.web.events import add_sink

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_EXTENSION = "otp_mpp_metrics"


def init_metrics(
    app: Flask, registry: CollectorRegistry | None = None, *, path: str | None = None
) -> None:
    """Count what an app does, in a registry of prometheus-client.

    Call it before or after ``otp.init_app(app)``, before the first request. Apps that share a
    registry are counted together; gauges are then those of the app that was read last.

    :param registry: the host's; by default ``prometheus_client.REGISTRY``.
    :param path: where to serve the metrics, such as ``/metrics``. By default they are not served.
        Nobody is asked who they are: let only Prometheus reach it. With
        ``PROMETHEUS_MULTIPROC_DIR`` the metrics of all processes are shown, those of others too.
    :raises RuntimeError: if prometheus-client is missing, or the app counts already.
    """
    try:
        from flask_otp_mpp.web import prometheus  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise RuntimeError(
            "init_metrics needs prometheus-client; pip install 'flask-otp-mpp[prometheus]'"
        ) from None
    if _EXTENSION in app.extensions:
        raise RuntimeError("this app has metrics already; call init_metrics once")
    metrics = prometheus.metrics_in(registry)
    app.extensions[_EXTENSION] = sink = prometheus.AppMetrics(app, metrics)
    add_sink(app, sink)
    if path is not None:

        def view() -> Response:
            sink.refresh()
            text, media_type = prometheus.exposition(metrics.registry)
            return Response(text, content_type=media_type, headers={"Cache-Control": "no-store"})

        app.add_url_rule(path, "otp_mpp_metrics", view)
