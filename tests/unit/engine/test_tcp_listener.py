"""Listening at an address of either family, over real sockets."""

import errno
import os
import re
import socket

import pytest

from growbin_jobs.engine import tcp_listener
from growbin_jobs.engine.tcp_listener import EVERYWHERE, listen, read_host


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


#: This machine's.
LOOPBACKS = ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]


def reached(listener: socket.socket) -> list[str]:
    """Return at which loopback addresses somebody answers."""
    found = []
    for address in LOOPBACKS:
        try:
            socket.create_connection((address, listener.getsockname()[1]), timeout=10).close()
        except ConnectionRefusedError:
            continue
        found.append(address)
    return found


@pytest.mark.parametrize("host", LOOPBACKS)
def test_an_address_is_reached_by_its_own_family_alone(host: str) -> None:
    with listen(host, 0, backlog=5) as listener:
        assert reached(listener) == [host]


def test_everywhere_is_reached_by_both_families() -> None:
    with listen(EVERYWHERE, 0, backlog=5) as listener:
        assert reached(listener) == LOOPBACKS


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_everywhere_is_all_of_ipv4_where_the_kernel_has_no_ipv6(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tcp_listener._listen

    def without_ipv6(host: str, port: int, backlog: int) -> socket.socket:
        if ":" in host:
            raise OSError(number, "as such a kernel says")
        return real(host, port, backlog)

    monkeypatch.setattr(tcp_listener, "_listen", without_ipv6)
    with listen(EVERYWHERE, 0, backlog=5) as listener:
        assert reached(listener) == ["127.0.0.1"]
    with pytest.raises(OSError, match="as such a kernel says"):
        listen("::1", 0, backlog=5)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("[::1]", "::1"),
        (" ::", "::"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("localhost", "localhost"),
        ("노드-1", "노드-1"),
    ],
)
def test_a_host_is_read_as_people_write_it(text: str, host: str) -> None:
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:9090", "[::1]:9090", "http://::1", "[::1", "a b", "-", "a/b", "1::2::3"]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without a port"):
        read_host(text)


def test_a_taken_port_and_another_machine_s_address_are_refused() -> None:
    with (
        listen("127.0.0.1", 0, backlog=5) as listener,
        pytest.raises(OSError, match=re.escape(os.strerror(errno.EADDRINUSE))),
    ):
        listen("127.0.0.1", listener.getsockname()[1], backlog=5)
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.EADDRNOTAVAIL))):
        listen("192.0.2.1", 0, backlog=5)
