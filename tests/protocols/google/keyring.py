"""A GnuPG home of somebody else, driven by the plain command line: the second implementation."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self


class Keyring:
    """Make keys and messages that an account never would."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="ring-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["gpgconf", "--homedir", self.path, "--kill", "gpg-agent"], check=False)
        shutil.rmtree(self.path, ignore_errors=True)

    def gpg(self, *arguments: str, data: bytes = b"", passphrase: str = "") -> bytes:
        fixed = ["gpg", "--homedir", self.path, "--batch", "--quiet", "--trust-model", "always"]
        fixed += ["--pinentry-mode", "loopback", "--passphrase", passphrase]
        done = subprocess.run(
            [*fixed, *arguments], input=data, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def load(self, *armored: str) -> None:
        for text in armored:
            self.gpg("--import", data=text.encode())

    def generate(self, name: str, *, kind: str = "rsa2048", passphrase: str = "") -> str:
        """Make a key that signs, with a subkey that decrypts, and return its fingerprint."""
        address = f"{name}@test.invalid"
        make = ("--quick-generate-key", address, kind, "sign", "never")
        self.gpg(*make, passphrase=passphrase)
        fingerprint = self.fingerprint(address)
        subkey = "cv25519" if kind == "ed25519" else kind
        add = ("--quick-add-key", fingerprint, subkey, "encr", "never")
        self.gpg(*add, passphrase=passphrase)
        return fingerprint

    def adopt(self, fingerprint: str, other: str) -> None:
        """Give a key a subkey with the numbers of another key's subkey, which decrypts.

        It has another time, so another fingerprint and id.
        """
        listing = self.gpg("--with-colons", "--with-keygrip", "--list-keys", other).decode()
        grips = [line.split(":")[9] for line in listing.splitlines() if line[:3] == "grp"]
        words = f"addkey\n13\n{grips[-1]}\nq\n0\nsave\n".encode()
        self.gpg("--expert", "--command-fd", "0", "--edit-key", fingerprint, data=words)

    def fingerprint(self, name: str) -> str:
        listing = self.gpg("--with-colons", "--list-keys", name).decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line[:3] == "fpr")

    def public(self, name: str) -> str:
        return self.gpg("--armor", "--export", name).decode()

    def private(self, name: str, *, passphrase: str = "") -> str:
        return self.gpg("--armor", "--export-secret-keys", name, passphrase=passphrase).decode()

    def revoke(self, fingerprint: str) -> None:
        """Take the certificate that was made with the key, without its guard against accidents."""
        path = Path(self.path, "openpgp-revocs.d", f"{fingerprint}.rev")
        text = path.read_text("utf-8").replace(":-----BEGIN", "-----BEGIN")
        self.gpg("--import", data=text.encode())

    def message(self, payload: bytes, *arguments: str) -> bytes:
        """Make the body of a request."""
        return base64.urlsafe_b64encode(self.gpg(*arguments, data=payload))


def living(word: str) -> list[int]:
    """Return the processes that have a word in their command line and have not ended."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                command = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended; an ended process has an empty line
            if word.encode() in command:
                found.append(int(entry))
    return found
