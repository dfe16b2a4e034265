"""Free TCP ports, safe with other runs at the same time.

A port can be lost between the choice and the server's own bind. Two things make that rare and harmless: ports come from
below the kernel's ephemeral range, where neither outgoing connections nor ``bind(0)`` land, and in random order; and a
server that dies because its port is taken is started again with others (``lifecycle``).
"""

import random
import socket
from pathlib import Path

from private_services.errors import ServicesError

LOOPBACK = "127.0.0.1"
LOWEST = 20000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
STANDARD = frozenset({25672, 27017, 26379})  # whoever comes later with a standard port finds it free


def free_ports(count: int) -> list[int]:
    """Return ``count`` different ports that nobody listens on now.

    Raises:
      ServicesError: If there are not so many.
    """
    ephemeral_low = int(EPHEMERAL.read_text().split()[0])
    highest = ephemeral_low if ephemeral_low > LOWEST + 1000 else 65536
    candidates = [port for port in range(LOWEST, highest) if port not in STANDARD]
    held: list[socket.socket] = []
    try:
        for port in random.sample(candidates, len(candidates)):
            if len(held) == count:
                break
            sock = socket.socket()
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                sock.close()
            else:
                held.append(sock)
        if len(held) < count:
            raise ServicesError(f"There are no {count} free ports between {LOWEST} and {highest} on this machine.")
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()


def listening(port: int) -> bool:
    """Return True when something accepts connections on the port."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((LOOPBACK, port)) == 0
