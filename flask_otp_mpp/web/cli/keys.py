"""``flask otp-mpp keygen`` generates the wallet's keys."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.web.cli.options import examples, json_option


@click.command(
    epilog=examples(
        "flask otp-mpp keygen --out wallet-key.pem",
        "flask otp-mpp keygen --jwks wallet-2026 --out ours.jwks",
        status="0 if the key was written; 1 if the file exists or can't be written.",
    )
)
@click.option(
    "--bits",
    type=click.Choice(["2048", "3072", "4096"]),
    default="2048",
    show_default=True,
    help="Key size. Signing costs three times as much at 3072 bits, six times at 4096.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("otp-mpp-private.pem"),
    show_default=True,
    help="The file for the private key. An existing file is never overwritten.",
)
@click.option(
    "--jwks",
    metavar="NAME",
    help="Generate JWK sets for a Google account instead: NAME-sig, a key that signs, and "
    "NAME-enc, a key that decrypts.",
)
@json_option
def keygen(bits: str, out: Path, jwks: str | None, as_json: bool) -> None:
    """Generate the wallet's RSA key.

    The private key goes into a new file that only its owner can read. Put the file's path into
    OTP_MPP_PRIVATE_KEYS. The public key is printed as one line: upload it to Alipay+.

    With --jwks, put the file's path into 'our_keys' of the account, and send what is printed to
    Google.
    """
    if jwks is None:
        key = rsa.generate_private_key(65537, int(bits))
        private, public = private_pem(key), one_line(key.public_key())
    else:
        private_set, public = generate_jwk_sets(jwks, int(bits))
        private = private_set.encode()
    _write_new_file(out, private)
    if as_json:
        click.echo(json.dumps({"private_key": str(out), "public_key": public, "bits": int(bits)}))
        return
    click.echo(f"The private key is in {out}; only its owner can read it.", err=True)
    click.echo("Upload this public key:", err=True)
    click.echo(public)


def _write_new_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from the moment at which it exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(
            f"{path} exists and is not overwritten; choose another --out"
        ) from None
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
