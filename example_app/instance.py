"""Fill the instance folder of the example wallet: keys, secrets, databases and configuration.

All files are readable by their owner only. The configuration is written last: if it exists, nothing
is missing.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from string import Template

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.orm import Session

from example_app.records import Record, User, engine, first_users
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.signing import generate_jwk_sets, one_line, private_pem

CLIENT_ID = "SANDBOX_5YC47N2ZQHJ004124"
PSP_ID = "1022172000000000000"
MERCHANT_ID = "SANDBOX_5Y37R2M8ZQKT004711"
OTHER_MERCHANT_ID = "SANDBOX_5Y9T44C1VWMB004988"
GOOGLE_ACCOUNT = "SANDBOX_google"

CONFIG = Template('''\
"""How this wallet is set up; made by `flask --app example_app wallet setup`, yours to change.

It holds secrets: keep it out of version control. FLASK_* variables of the environment win over it.
"""

from pathlib import Path

here = Path(__file__).parent

WALLET_DATABASE = f"sqlite:///{here / 'wallet.db'}"
ACCESS_TOKEN_SECRET = "$token_secret"

OTP_MPP_WALLET_NAME = "Example Wallet"
OTP_MPP_STORE = f"sqlite:///{here / 'otp.db'}"
OTP_MPP_PEPPER = "$pepper"
OTP_MPP_PRIVATE_KEYS = {"1": str(here / "wallet.pem")}
OTP_MPP_ALIPAYPLUS_PSP_ID = "$psp_id"
OTP_MPP_ALIPAYPLUS_CLIENTS = {"$client_id": {"1": str(here / "alipayplus.pub")}}
OTP_MPP_AMS_CLIENTS = {
    "$merchant_id": {"1": str(here / "merchant.pub")},
    "$other_merchant_id": {"1": str(here / "other-merchant.pub")},
}
OTP_MPP_GOOGLE_ACCOUNTS = {
    "$google_account": {
        "envelope": "jose",
        "our_keys": str(here / "wallet.jwks"),
        "their_keys": str(here / "google.pub.jwks"),
    }
}
OTP_MPP_TRIAL = True  # credentials that begin with TRIAL_ provoke result codes; for a sandbox only
''')

FILES = (
    "wallet.pem",  # the wallet's private key, by which it signs its answers
    "wallet.pub",  # its public key, as uploaded to Alipay+ and given to merchants
    "alipayplus.pem",  # a private key that plays Alipay+'s; the real one is known to Alipay+ only
    "alipayplus.pub",  # its public key, as downloaded from Alipay+
    "merchant.pem",  # a private key that plays a merchant's
    "merchant.pub",  # its public key, as the merchant gave it
    "other-merchant.pem",  # the same of a second merchant
    "other-merchant.pub",
    "wallet.jwks",  # the wallet's private keys for Google: one signs, one decrypts
    "wallet.pub.jwks",  # their public halves, as given to Google
    "google.jwks",  # private keys that play Google's
    "google.pub.jwks",  # their public halves, as Google gave them
    "wallet.db",
    "otp.db",
    "config.py",
)


def fill(folder: Path) -> list[str]:
    """Create the files that are missing, and return their names."""
    if (folder / "config.py").exists():
        return []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name in FILES if not (folder / name).exists()]
    for owner in ("wallet", "alipayplus", "merchant", "other-merchant"):
        if f"{owner}.pem" in missing:
            key = rsa.generate_private_key(65537, 2048)
            _write(folder / f"{owner}.pem", private_pem(key))
            _write(folder / f"{owner}.pub", one_line(key.public_key()).encode())
    for owner in ("wallet", "google"):
        if f"{owner}.jwks" in missing:
            private_set, public_set = generate_jwk_sets(owner)
            _write(folder / f"{owner}.jwks", private_set.encode())
            _write(folder / f"{owner}.pub.jwks", public_set.encode())
    _fill_wallet_database(folder / "wallet.db")
    _fill_otp_database(folder / "otp.db")
    config = CONFIG.substitute(
        token_secret=secrets.token_urlsafe(48),
        pepper=secrets.token_urlsafe(48),
        client_id=CLIENT_ID,
        psp_id=PSP_ID,
        merchant_id=MERCHANT_ID,
        other_merchant_id=OTHER_MERCHANT_ID,
        google_account=GOOGLE_ACCOUNT,
    )
    _write(folder / "config.py", config.encode())
    return missing


def clear(folder: Path) -> None:
    """Delete the files that :func:`fill` creates, and nothing else in the folder."""
    for name in FILES:
        for file in (name, f"{name}-wal", f"{name}-shm"):
            (folder / file).unlink(missing_ok=True)


def _fill_wallet_database(path: Path) -> None:
    path.touch(mode=0o600)
    database = engine(f"sqlite:///{path}")
    Record.metadata.create_all(database)
    with Session(database) as session, session.begin():
        if session.get(User, "ada") is None:
            session.add_all(first_users())
    database.dispose()


def _fill_otp_database(path: Path) -> None:
    path.touch(mode=0o600)
    store = SQLAlchemyStore(f"sqlite:///{path}")
    store.create_tables()
    store.engine.dispose()


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)  # before it holds anything that others must not read
    path.write_bytes(content)
