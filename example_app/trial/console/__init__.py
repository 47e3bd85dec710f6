"""The caller's console: plays Alipay+, a merchant or Google against the wallet, and shows it all.

``faults`` and ``choices`` are data; ``credentials`` and ``players`` make requests; ``link`` sends
them; ``signed`` and ``jose`` tell what was signed; ``exchange`` and ``meaning`` what came back;
``play`` joins them; ``runs`` keeps what was played; ``views`` is the page.
"""

from example_app.trial.console.views import pages

__all__ = ["pages"]
