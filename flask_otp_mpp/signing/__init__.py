"""Keys, RSA256 signatures and signed access tokens.

Public are the names in ``__all__``; modules below this package are not.
"""

from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from flask_otp_mpp.signing.keys import (
    KeyFault,
    LocalSigner,
    Signer,
    load_private_key,
    load_public_key,
    one_line,
    private_pem,
)
from flask_otp_mpp.signing.tokens import SEND_OTP, AccessTokens

__all__ = [
    "SEND_OTP",
    "AccessTokens",
    "KeyFault",
    "LocalSigner",
    "Signer",
    "generate_jwk_sets",
    "load_private_key",
    "load_public_key",
    "one_line",
    "private_pem",
]
