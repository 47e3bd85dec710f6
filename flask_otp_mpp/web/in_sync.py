"""Call a host's functions to their end, whether they are async, or return something awaitable.

A decorator may hide that a function is async. What it returns then is a coroutine, which is true
like any object: a user who is barred would be served, and a message that nobody sends be a success.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from flask import Flask

from flask_otp_mpp.core.secret import Secret

END_OF_PROCESS: Final = (SystemExit, KeyboardInterrupt, GeneratorExit)
"""The exceptions that end more than the function that raises them. Others that are no ``Exception``
do not: a ``gevent.Timeout`` ends what it was set for, a ``CancelledError`` a task."""


def in_sync(app: Flask, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls another one, and runs what that returns if it is awaitable.

    :raises RuntimeError: if it is async, and Flask's extra ``async`` is not installed.
    """
    call = app.ensure_sync(function)

    def run(*arguments: Any, **named: Any) -> Any:
        # A hook may look at the stack, as an error reporter does that it calls.
        given = Secret((arguments, named))
        del arguments, named
        result = call(*given.reveal()[0], **given.reveal()[1])
        if result is None or not inspect.isawaitable(result):
            return result
        return _awaited(app, result)

    return run


def _awaited(app: Flask, awaitable: Awaitable[Any]) -> Any:
    """Run something awaitable by the app's own means; what can't be run raises an error."""

    async def wait() -> Any:
        return await awaitable

    try:
        return app.async_to_sync(wait)()
    finally:
        if inspect.iscoroutine(awaitable):
            awaitable.close()  # has no effect on one that was run
