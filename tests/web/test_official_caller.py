"""Requests and answers in the form of the official client libraries."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from flask_otp_mpp.signing.keys import LocalSigner
from tests.deployment.wire import ask
from tests.servers import serving
from tests.vectors.sdk_requests import SDK_REQUESTS, SdkRequest
from tests.wallet import ACQUIRER, CLIENT, PSP, Wallet, key

PATH = "/aps/api/v1/users/sendOTP"


@pytest.mark.parametrize("sdk", SDK_REQUESTS, ids=lambda sdk: sdk.client)
def test_an_official_sdk_is_understood_and_can_read_the_answer(
    wallet: Wallet, sdk: SdkRequest
) -> None:
    """G6, G7, G9: whatever it writes: names, their order, spaces, times, an absolute URI."""
    wallet.clock.now = datetime.now(UTC)
    data = sdk.write(
        path=PATH,
        client=CLIENT,
        signer=LocalSigner("1", key("alipay+")),
        now=wallet.clock.now,
        acquirer=ACQUIRER,
        psp=PSP,
        token="tok-ada",
    )
    with serving(wallet.app) as url:
        response = ask(urlsplit(url).port or 0, data)
    assert response.status == 200
    assert b'"resultCode":"SUCCESS"' in response.body
    assert len(wallet.inbox) == 1
    assert sdk.accepts(response, PATH, key("wallet").public_key())
