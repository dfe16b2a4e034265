"""A private RabbitMQ node with its management API, from Debian's package; of either generation, see
``rabbitmq_installation``.

A node needs more than its AMQP port to itself: an Erlang port mapper (epmd), the distribution port between nodes, a
node name and a cookie. All of them are its own here, so neither a system-wide RabbitMQ nor another run is ever seen.
"""

import base64
import secrets
import signal
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from private_services import certificates
from private_services.errors import PortTaken, ServicesError
from private_services.ports import LOOPBACK, free_ports, listening
from private_services.rabbitmq_installation import Installation, chosen, install_beside, installed
from private_services.record import Record

USER = "growbin"

CONFIG = """\
listeners.tcp.local = {loopback}:{amqp}
listeners.ssl.local = {loopback}:{amqps}
ssl_options.cacertfile = {certificate.authority}
ssl_options.certfile = {certificate.certificate}
ssl_options.keyfile = {certificate.key}
ssl_options.verify = verify_none
management.tcp.ip = {loopback}
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 33554432
log.console = false
log.file.level = info
"""


class RabbitMQ:
    name = "rabbitmq"
    packages: tuple[str, ...] = ("rabbitmq-server", "openssl")
    # Its data go with it, so nobody waits seconds for a clean shutdown.
    stop_signal: int = signal.SIGKILL

    def missing(self) -> str | None:
        generation = chosen()
        if installed(generation) is None and generation == 4:
            install_beside()
        if installed(generation):
            return None
        return f"RabbitMQ {generation or ''} (rabbitmq-server) is not installed.".replace("  ", " ")

    def start(self, record: Record) -> None:
        program = installed(chosen())
        if program is None:
            raise ServicesError("RabbitMQ (rabbitmq-server) is not installed.")
        epmd, distribution, amqp, amqps, management = free_ports(5)
        certificate = certificates.make(record.folder / "tls")
        password = secrets.token_urlsafe(18)
        env = self._environment(program, record.folder, epmd, distribution)
        authority = f"{USER}:{quote(password, safe='')}@{LOOPBACK}"
        record.facts = {
            "generation": program.generation,
            "url": f"amqp://{authority}:{amqp}/%2F",
            "tls_url": f"amqps://{USER}:{quote(password, safe='')}@localhost:{amqps}/%2F",
            "authority": str(certificate.authority),
            "management_url": f"http://{authority}:{management}",
            "port": amqp,
            "management_port": management,
            "user": USER,
            "password": password,
            "rabbitmqctl": {"command": [str(program.binaries / "rabbitmqctl")], "env": env},
        }
        (record.folder / "home").mkdir()
        (record.folder / "rabbitmq-env.conf").touch()
        (record.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (record.folder / "rabbitmq.conf").write_text(
            CONFIG.format(
                loopback=LOOPBACK,
                amqp=amqp,
                amqps=amqps,
                management=management,
                user=USER,
                password=password,
                certificate=certificate,
            )
        )
        self._start_epmd(record, program.epmd, env, epmd)
        record.spawn([program.binaries / "rabbitmq-server"], env=env)

    def differs(self, record: Record) -> str | None:
        generation, running = chosen(), record.facts.get("generation")
        return None if generation in (None, running) else f"RabbitMQ {running} runs there, not {generation}."

    def answers(self, record: Record) -> bool:
        # Also says that the AMQP listener is open, which comes up after the management API.
        return _succeeds(record, f"/api/health/checks/port-listener/{record.facts['port']}")

    def variables(self, record: Record) -> dict[str, str]:
        return {"GROWBIN_BROKER_URL": record.facts["url"]}

    def _start_epmd(self, record: Record, program: str, env: dict[str, str], port: int) -> None:
        # Erlang would start one by itself, as a daemon that nobody knows and that outlives the node.
        epmd = record.spawn([program, "-port", str(port), "-address", LOOPBACK], env=env)
        deadline = time.monotonic() + 10
        while not listening(port):
            if not epmd.alive() or time.monotonic() > deadline:
                raise PortTaken
            time.sleep(0.01)

    def _environment(self, program: Installation, folder: Path, epmd: int, distribution: int) -> dict[str, str]:
        return {
            "PATH": program.path,
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),  # Erlang's cookie
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
            "ERL_MAX_PORTS": "8192",
            "RABBITMQ_NODENAME": f"growbin-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-dist_listen false",  # rabbitmqctl needs no port of its own
            # Makes the start script become the node instead of its parent: one pid, and it is the right one.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def _succeeds(record: Record, path: str) -> bool:
    """Ask the management API; False while it does not answer, does not know us, or says no."""
    request = urllib.request.Request(f"http://{LOOPBACK}:{record.facts['management_port']}{path}")
    pair = f"{record.facts['user']}:{record.facts['password']}".encode()
    request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except OSError:
        return False
