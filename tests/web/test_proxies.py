"""Whose address it is, however it was written."""

from __future__ import annotations

import pytest

from modelyard.web.proxies import TrustedProxies


@pytest.mark.parametrize(
    ("written", "read"),
    [("::ffff:10.1.2.3", "10.1.2.3"), ("10.1.2.3", "10.1.2.3"), ("2001:DB8::1", "2001:db8::1"), ("unix", "unix")],
)
def test_an_ipv4_address_is_one_however_it_came(written: str, read: str) -> None:
    seen: list[str] = []
    behind = TrustedProxies(lambda environ, start_response: seen.append(environ["REMOTE_ADDR"]) or [], ["192.0.2.0/24"])
    behind({"REMOTE_ADDR": written}, None)
    behind({"REMOTE_ADDR": "::ffff:192.0.2.7", "HTTP_X_FORWARDED_FOR": written}, None)
    assert seen == [read, "192.0.2.7" if read == "unix" else read]
