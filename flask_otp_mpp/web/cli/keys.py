"""``flask otp-mpp keygen`` generates the wallet's keys, ``pubkey`` prints their public halves."""

from __future__ import annotations

import os
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.cli import ScriptInfo

from flask_otp_mpp.protocols.google.jose.jwk import public_set, read_sets
from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from flask_otp_mpp.signing.keys import KeyFault, load_private_key, one_line, private_pem
from flask_otp_mpp.web.cli.group import echo, echo_json
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.extension import state_of


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
        echo_json({"private_key": str(out), "public_key": public, "bits": int(bits)})
        return
    click.echo(f"The private key is in {out}; only its owner can read it.", err=True)
    click.echo("Upload this public key:", err=True)
    echo(public)


@click.command(
    epilog=examples(
        "flask otp-mpp pubkey wallet-key.pem",
        "flask otp-mpp pubkey ours.jwks",
        "flask --app wallet otp-mpp pubkey",
        status="0 if a key was printed; 1 if there is none that can be read.",
    )
)
@click.argument("key", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def pubkey(key: Path | None, as_json: bool) -> None:
    """Print the public half of a private key, for the other side.

    KEY is a file with a private key (PEM or base64), whose public half is printed as one line; or a
    JWK set, whose public set is printed. Without KEY those of the app are printed, a line for each
    version: VERSION=KEY, as `simulate --server-key` takes it.
    """
    public = _keys_of_app() if key is None else {"": _public_half(key)}
    if as_json:
        echo_json({"public_keys": public} if key is None else {"public_key": public[""]})
        return
    for version, text in public.items():
        echo(f"{version}={text}" if version else text)


def _keys_of_app() -> dict[str, str]:
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    keys = state_of(app).public_keys
    if not keys:
        raise click.ClickException("the app has no keys in OTP_MPP_PRIVATE_KEYS; name a file")
    return {version: one_line(key) for version, key in keys.items()}


def _public_half(path: Path) -> str:
    try:
        if path.read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"[")):
            return public_set(read_sets(str(path), private=True))
        return one_line(load_private_key(str(path)).public_key())
    except (KeyFault, OSError) as fault:
        raise click.ClickException(str(fault)) from None


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
