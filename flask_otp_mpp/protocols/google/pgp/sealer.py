"""OpenPGP bodies (RFC 4880) by the program ``gpg``: base64url of a signed and encrypted message.

A message opens only whole, strongly encrypted, and signed by an active key that is trusted.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Final

from flask_otp_mpp.core.bulkhead import Bulkhead, Full
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.protocols.google.pgp.home import GpgHome
from flask_otp_mpp.protocols.google.pgp.keys import PgpKey, active, import_keys
from flask_otp_mpp.protocols.google.pgp.packets import addressed_to
from flask_otp_mpp.protocols.google.pgp.process import Overlong, Unfinished
from flask_otp_mpp.protocols.google.pgp.status import has_failed, is_decrypted, lines, proven_by
from flask_otp_mpp.protocols.google.sealer import (
    MAX_PAYLOAD,
    MAX_SEALED,
    Opened,
    OpeningKeys,
    SealFault,
    from_base64url,
    refuse_encryption,
    refuse_signature,
)
from flask_otp_mpp.signing.keys import KeyFault

_OPEN: Final = (
    "--skip-hidden-recipients",  # inside of what is encrypted, where no packets are walked
    "--no-batch",  # a batch ends at the first bad signature, even if a good one follows
    "--max-output",
    str(2 * MAX_PAYLOAD),
)
QUEUED: Final = 30
"""How many messages wait to be opened, so that a burst of 32 is served by two processes."""
_QUEUED_ANSWERS: Final = 256  # of proven callers; what was done for them should be told

_SEAL: Final = (
    "--rfc4880",  # comes first, since it resets other options; no packets newer than the standard
    "--cipher-algo",
    "AES256",
    "--digest-algo",
    "SHA384",
    "--compress-algo",
    "none",
    "--no-armor",
    "--sign",
    "--encrypt",
)


class PgpSealer:
    """Seals with all of our active keys to all of theirs, opens what any of theirs has signed.

    There are several of either kind while keys are replaced: a message under the old and the new
    key can be read by a side that knows one of them.

    :param ours: armored private keys without passphrase.
    :param theirs: armored public keys.
    :param program: gpg, by name or path.
    :param timeout: how long gpg may take for one message, in seconds; it is killed then. A
        message waits no longer than that for its turn.
    :param processes: how many messages are opened at once, and how many answers are sealed at once.
    :ivar ours: our keys as GnuPG has read them, and ``theirs``.
    :ivar opening: where messages wait for their turn, and ``sealing`` where answers do.
    :raises KeyFault: if GnuPG is not there, or a key can't be used.
    """

    media_type: Final = "application/octet-stream; charset=utf-8"

    def __init__(
        self,
        ours: Sequence[str],
        theirs: Sequence[str],
        *,
        program: str,
        timeout: float,
        processes: int = 2,
    ) -> None:
        self._timeout = timeout
        self.opening = Bulkhead(processes, waiting=QUEUED, longest=timeout)
        # Of its own, so that a flood of messages does not keep back what was done already.
        self.sealing = Bulkhead(processes, waiting=_QUEUED_ANSWERS, longest=timeout)
        self._home = GpgHome(program)
        try:
            self.theirs = import_keys(self._home, theirs, private=False)
            self.ours = import_keys(self._home, ours, private=True)
            self._check()
        except BaseException:
            self.close()
            raise
        self._trusted = frozenset(key.fingerprint for key in self.theirs)
        self._decrypts = frozenset[bytes]().union(*(key.decrypts for key in self.ours))
        self.opening_keys = OpeningKeys(
            frozenset[str]().union(*(key.decrypting for key in self.ours)),
            frozenset[str]().union(*(key.signing for key in self.theirs)),
        )
        sides = {"ours": self.ours, "theirs": self.theirs}
        self.key_prints = {
            f"{whose} {key.fingerprint}": key.parts for whose, keys in sides.items() for key in keys
        }

    def open(self, body: bytes) -> Opened:
        if len(body) > MAX_SEALED:
            refuse_encryption()
        try:
            message = addressed_to(self._decrypts, from_base64url(body))
        except ValueError:
            refuse_encryption()
        try:
            with self.opening:
                result = self._home.run(
                    [*_OPEN, "--decrypt"],
                    message,
                    timeout=self._timeout,
                    longest=MAX_PAYLOAD,
                )
        except Overlong:  # decompressed data ends here; --max-output is a second limit
            refuse_encryption()
        except (Full, Unfinished) as fault:
            refuse(Reason.UNFORESEEN, f"The body was not opened: gpg {fault}.")
        if not is_decrypted(result.status):
            if has_failed(result.code, result.status):
                refuse(Reason.UNFORESEEN, "The body was not opened: gpg failed by itself.")
            refuse_encryption()
        signer = proven_by(result.status, self._trusted)
        if signer is None:
            refuse_signature()
        return Opened(result.output, signer)

    def seal(self, payload: bytes) -> bytes:
        now = time.time()
        signers, _ = active(self.ours, now)
        _, recipients = active(self.theirs, now)
        return base64.urlsafe_b64encode(self._seal(payload, signers, recipients))

    def close(self) -> None:
        """End the agent of this account and remove its keys; nothing can be opened then."""
        self._home.close()

    def _seal(self, payload: bytes, signers: Sequence[str], recipients: Sequence[str]) -> bytes:
        if not signers or not recipients:
            raise SealFault("all of our signing keys, or of their encryption keys, have expired")
        arguments = [
            *_SEAL,
            *(word for signer in signers for word in ("--local-user", signer)),
            *(word for recipient in recipients for word in ("--recipient", recipient)),
        ]
        longest = 4 * MAX_SEALED
        try:
            with self.sealing:
                result = self._home.run(arguments, payload, timeout=self._timeout, longest=longest)
        except (Full, Unfinished) as fault:
            raise SealFault(f"gpg {fault}") from None
        words = [line[0] for line in lines(result.status)]
        done = words.count("SIG_CREATED") == len(signers) and "END_ENCRYPTION" in words
        if result.code != 0 or not done:
            raise SealFault(f"gpg ended with {result.code} and did not sign and encrypt")
        return result.output

    def _check(self) -> None:
        """Try each of our keys, and see that the other side has active ones.

        :raises KeyFault: if an answer could not be sealed, or nothing could be opened.
        """
        now = time.time()
        _in_use("their_keys", self.theirs, now)
        _in_use("our_keys", self.ours, now)
        signers, recipients = active(self.ours, now)
        for name in signers:
            for to in recipients:
                self._try(name, to)
        mixed = {key.fingerprint for key in self.ours} & {key.fingerprint for key in self.theirs}
        if mixed:
            raise KeyFault(f"key {mixed.pop()} is both ours and theirs; give each side its own")

    def _try(self, signer: str, recipient: str) -> None:
        try:
            sealed = self._seal(b"{}", [signer], [recipient])
            result = self._home.run(["--decrypt"], sealed, timeout=self._timeout, longest=2)
        except (SealFault, Unfinished):
            result = None
        if result is None or not is_decrypted(result.status):
            raise KeyFault(
                f"key {signer} or {recipient} can't be used; our keys must have no passphrase, "
                "and both a part that signs and one that decrypts"
            )


def _in_use(setting: str, keys: Sequence[PgpKey], now: float) -> None:
    signers, recipients = active(keys, now)
    if not signers or not recipients:
        raise KeyFault(
            f"{setting!r} holds no active key that {'encrypts' if signers else 'signs'}; give one "
            "that is neither expired nor revoked"
        )
