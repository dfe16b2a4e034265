"""Serves the monitor: by TCP or a unix socket, until a signal; streams that are open do not hold it up."""

import gc
import logging
import os
import socket
import stat
from types import FrameType

import uvicorn

from growbin_jobs.engine.addresses import bracketed
from growbin_jobs.engine.fast.gc_tuning import collect_seldom
from growbin_jobs.engine.tcp_listener import listen
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.services import Services

#: Seconds that running requests may take after a signal; streams end at once.
GRACE = 3

#: Connections that may wait to be accepted.
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends the streams when it is told to stop, and does not die of the signal afterwards."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 the signature is uvicorn's
        self.force_exit = self.should_exit
        self.should_exit = True
        self.config.app.state.live.close()  # type: ignore[union-attr]


def serve(config: MonitorConfig, services: Services | None = None, *, sockets: list[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters:
      config: Of the monitor.
      services: None: those of this process's settings.
      sockets: That listen already, from :func:`listening`.
    """
    app = make_app(config, services)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = _Server(
        uvicorn.Config(
            app,
            access_log=False,  # addresses hold names, and searches hold what somebody looks for
            log_config=None,
            proxy_headers=False,  # ours believes named proxies only
            server_header=False,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=GRACE,
        )
    )
    # A page makes tens of thousands of objects of rows, none of them in a cycle: the collector looked at them again and
    # again, and with them at all that was loaded.
    gc.collect()
    collect_seldom()
    try:
        server.run(sockets)
    finally:
        for each in sockets:
            each.close()
        if config.unix_socket is not None:
            config.unix_socket.unlink(missing_ok=True)


def listening(config: MonitorConfig, *, any_port: bool = False) -> socket.socket:
    """Return a socket that listens where the configuration says.

    Parameters:
      config: Of the monitor.
      any_port: Take a free port where the wanted one is taken.

    Raises:
      ConfigurationError: It cannot be had.
    """
    if config.unix_socket is not None:
        return _unix(config)
    try:
        return listen(config.host, config.port, backlog=BACKLOG)
    except OSError as error:
        if any_port:
            return listen(config.host, 0, backlog=BACKLOG)
        why = error.strerror or str(error)
        raise ConfigurationError(
            f"The monitor cannot listen on {config.host} port {config.port}: {why}. Another --port?"
        ) from None


def address_of(config: MonitorConfig, listener: socket.socket) -> str:
    """Return the address to open in a browser."""
    if config.unix_socket is not None:
        return f"unix:{config.unix_socket}{config.url_prefix}/"
    if config.public_url:
        return f"{config.public_url}{config.url_prefix}/"
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return f"http://{bracketed(shown)}:{port}{config.url_prefix}/"


def _unix(config: MonitorConfig) -> socket.socket:
    path = config.unix_socket
    assert path is not None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(str(path)):
            path.unlink()  # of a monitor that was killed
        listener.bind(str(path))
        os.chmod(path, 0o660)  # who may reach it is for the folder and the group to say
        listener.listen(2048)
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        raise ConfigurationError(f"The monitor cannot listen on {path}: {why}. Another --unix-socket?") from None
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0
