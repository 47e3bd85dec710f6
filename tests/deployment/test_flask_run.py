"""``flask run`` shows a developer what became of each request."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.codes import LONG_CODE
from tests.deployment.processes import MODULE, deployed
from tests.servers import free_port

pytestmark = pytest.mark.slow


def test_each_request_is_a_line_on_the_terminal(tmp_path: Path) -> None:
    """O9: without any logging of the host; no code and no token is in it."""
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", MODULE, "run", "--port", str(port)]
    with deployed(tmp_path, command, port, OTP_MPP_CODE_DIGITS=LONG_CODE) as server:
        answer = server.caller().send("tok-ada")
        server.caller().verify("tok-ada", answer.verify_request_id, server.outbox("ada")[-1])
        [code] = server.outbox("ada")
    text = (tmp_path / "server.log").read_text()
    lines = re.findall(r"^INFO alipayplus (.+)$", text, re.MULTILINE)
    assert [line.split(" client=")[0] for line in lines] == ["send: SUCCESS", "verify: SUCCESS"]
    assert "user=ada" in lines[0]
    assert code not in "".join(lines)
    assert "tok-" not in text
