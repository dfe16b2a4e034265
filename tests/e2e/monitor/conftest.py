"""Real monitors as processes, and a real Chromium that looks at them."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from tests import command_line

#: What must come comes on a busy machine too.
expect.set_options(timeout=30_000)

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--in-process-gpu", "--js-flags=--no-opt,--no-maglev",  # no page lives long enough for its code to be optimised
]  # fmt: skip


@dataclass
class Monitor:
    """A monitor that runs.

    Attributes:
      url: Its address, with the prefix and a slash at its end; empty with a unix socket.
      folder: Its data folder.
      link: The link for one sign-in, where it printed one.
    """

    process: subprocess.Popen[str]
    url: str
    folder: Path
    link: str = ""


@pytest.fixture(scope="session")
def start_monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Monitor]]:
    """Returns a function that starts ``growbin-jobs monitor``; all of them are ended after the tests."""
    started: list[Monitor] = []

    def start(*options: str, folder: Path | None = None, **environment: str) -> Monitor:
        folder = folder or tmp_path_factory.mktemp("monitor")
        known = {name: value for name, value in os.environ.items() if not name.startswith("GROWBIN_")}
        process = command_line.start_program(
            "growbin_jobs.cli", command_line.MAIN, "monitor", *_with_port(options), loaded=["e2e.monitor.made"],
            env=known | {"GROWBIN_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | environment,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        monitor = Monitor(process, "", folder)
        started.append(monitor)
        assert process.stderr is not None
        for line in process.stderr:  # it listens before it says so
            if found := re.search(r"Monitor: (http\S+|unix:\S+)", line):
                monitor.url = found[1]
            if found := re.search(r"Sign in, once: (\S+)", line):
                monitor.link = found[1]
            if monitor.url and (monitor.link or "--sign-in-link" not in options):
                break
        assert monitor.url, f"the monitor did not start: exit code {process.wait(10)}"
        return monitor

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
            each.process.wait(20)


def _with_port(options: tuple[str, ...]) -> list[str]:
    chosen = {"--port", "--unix-socket"} & set(options)
    return [*options] if chosen else [*options, "--port", "0"]


_opened = ExitStack()


@cache
def _browser() -> Browser:
    path = shutil.which("chromium-headless-shell")
    assert path, "Chromium is missing. As root: apt-get install chromium-headless-shell"
    playwright = _opened.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    _opened.callback(browser.close)
    return browser


@pytest.fixture
def browser() -> Browser:
    """Debian's Chromium without a window, which costs half of the whole browser; ``scripts/test`` installs it."""
    return _browser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """End the browser before a test of another folder: while Playwright has its event loop, that can run none."""
    yield
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _opened.close()
        _browser.cache_clear()


@dataclass
class Watched:
    """A browser of its own whose pages are watched.

    Attributes:
      faults: What no page may cause: console errors, violations of the policy, failed or foreign requests, dialogs.
    """

    context: BrowserContext
    own: str
    faults: list[str] = field(default_factory=list)

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", self._request)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.own, "data:", "blob:")):
            self.faults.append(f"foreign: {request.url}")


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Returns a function that opens a browser window of its own for a monitor; faults fail the test at its end."""
    opened: list[Watched] = []

    def watch(monitor: Monitor, **options: Any) -> Watched:
        options.setdefault("locale", "en-US")
        options.setdefault("reduced_motion", "reduce")  # what breathes is painted all the time, in every tab
        origin = "/".join(monitor.url.split("/")[:3])
        opened.append(Watched(browser.new_context(**options), origin))
        return opened[-1]

    yield watch
    faults = [fault for each in opened for fault in each.faults]
    for each in opened:
        each.context.close()
    assert faults == []


@pytest.fixture(scope="session")
def insecure(start_monitor: Callable[..., Monitor]) -> Monitor:
    """A monitor in which everybody is an administrator."""
    return start_monitor("--insecure")
