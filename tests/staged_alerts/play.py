"""A play: an installation that is well, and failures that are staged one after the other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from staged_alerts.faster import faster
from staged_alerts.prometheus import Prometheus, alert_names, rules
from staged_alerts.site import Site, free_port, until

#: By which everything that lasts is divided.
FACTOR = 60

#: Seconds between two scrapes. Fifteen, as in ``monitoring/compose``, divided by the factor would be 0.25: as often as
#: processes write their counts.
INTERVAL = 0.5

#: Seconds for which nothing may fire where all is well: beyond the ``for`` of most alerts.
WELL = 6.0

#: Seconds within which a staged failure must be known.
PATIENCE = 200.0


def nothing(_: Site) -> None:
    """Stage nothing more."""


@dataclass(frozen=True)
class Stage:
    """A failure.

    Attributes:
      what: In words.
      fires: Alerts that must come of it.
      act: Stages it.
      again: Done twice a second until they fire: a failure that goes on.
      right: Alerts that may come of it beside those: they are true as well, now or later.
    """

    what: str
    fires: frozenset[str]
    act: Callable[[Site], None]
    again: Callable[[Site], None] = nothing
    right: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Play:
    """Failures of one installation; each stays while the next ones are staged.

    Attributes:
      name: For the command line.
      build: Makes the installation in a folder, and starts it.
      stages: In their order.
    """

    name: str
    build: Callable[[Path], Site]
    stages: tuple[Stage, ...]

    @property
    def fires(self) -> frozenset[str]:
        """Return all alerts that it shows to fire."""
        return frozenset().union(*(stage.fires for stage in self.stages))


@dataclass
class Seen:
    """What came of a stage.

    Attributes:
      seconds: From staging it until the last of its alerts fired.
      fired: All alerts that fired then.
    """

    stage: Stage
    seconds: float
    fired: frozenset[str] = field(default_factory=frozenset)


def run(play: Play, folder: Path, say: Callable[[str], None] = print) -> list[Seen]:
    """Run a play; an alert that does not fire, or one that is wrong, raises AssertionError."""
    with contextlib.ExitStack() as closing:
        site = play.build(folder / "site")
        closing.callback(site.close)
        try:
            return _run(play, site, folder, closing, say)
        except AssertionError as error:
            raise AssertionError(f"{play.name}: {error}\n{site.last_words()}") from error


def _run(play: Play, site: Site, folder: Path, closing: contextlib.ExitStack, say: Callable[[str], None]) -> list[Seen]:
    site.hand_in("photos 2")
    until(lambda: site.completed() >= 2, "two analyses are completed before anything is staged")
    prometheus = Prometheus(folder / "prometheus", free_port(), faster(rules(), FACTOR), INTERVAL)
    closing.callback(prometheus.stop)
    prometheus.read(site.targets)
    targets = sum(map(len, site.targets.values()))
    until(lambda: prometheus.loaded() == alert_names(), "all rules are loaded")
    until(lambda: prometheus.scraped() == targets, "all targets are read")
    until(lambda: prometheus.ask("growbin_queue_messages"), "a scheduler shows the queues")
    _stay_silent(prometheus, WELL)
    seen, right = [], frozenset[str]()
    for stage in play.stages:
        right |= stage.fires | stage.right
        seen.append(_staged(stage, site, prometheus, right))
        say(f"{play.name}: {stage.what}: {', '.join(sorted(stage.fires))} after {seen[-1].seconds:.1f} s")
    return seen


def _stay_silent(prometheus: Prometheus, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not prometheus.firing(), f"although all is well: {prometheus.told()}"
        time.sleep(0.25)


def _staged(stage: Stage, site: Site, prometheus: Prometheus, right: frozenset[str]) -> Seen:
    began = time.monotonic()
    stage.act(site)
    prometheus.read(site.targets)
    fired: frozenset[str] = frozenset()
    while not stage.fires <= fired:
        stage.again(site)
        now = prometheus.firing()
        assert now <= right, f"{stage.what}: wrong is {set(now - right)} of {prometheus.told()}"
        fired |= now
        missing = stage.fires - fired
        assert not missing or time.monotonic() < began + PATIENCE, (
            f"{stage.what}: {set(missing)} did not fire, but {prometheus.told()}"
        )
        time.sleep(0.5)
    return Seen(stage, time.monotonic() - began, fired)
