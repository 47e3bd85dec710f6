"""Count what is done by private keys, for metrics."""

from __future__ import annotations

import threading

from flask_otp_mpp.signing.keys import Signer


class KeyOperations:
    """Count signatures and decryptions.

    :ivar signatures: how many answers were signed.
    :ivar decryptions: how many bodies were decrypted, or tried to be.
    """

    def __init__(self) -> None:
        self.signatures = 0
        self.decryptions = 0
        self._lock = threading.Lock()

    def count_signature(self) -> None:
        with self._lock:
            self.signatures += 1

    def count_decryption(self) -> None:
        with self._lock:
            self.decryptions += 1


class CountedSigner:
    """Sign by another signer, and count it.

    :param signer: the host's, or that of a configured key.
    """

    def __init__(self, signer: Signer, operations: KeyOperations) -> None:
        self._signer = signer
        self._operations = operations

    @property
    def version(self) -> str:
        return self._signer.version

    def sign(self, data: bytes) -> bytes:
        self._operations.count_signature()
        return self._signer.sign(data)
