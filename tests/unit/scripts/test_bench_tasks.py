"""``scripts/bench tasks``: its figures, its options, and one small drain of real workers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from benchmarks.tasks import command as bench  # noqa: E402
from benchmarks.tasks import measurement  # noqa: E402
from benchmarks.tasks.chart import draw  # noqa: E402
from benchmarks.tasks.figures import Spread, ratio, summarise  # noqa: E402
from benchmarks.tasks.measurement import Drained, Measurement, MeasurementFailed, Session, Size, measure  # noqa: E402
from benchmarks.tasks.rabbit import Rabbit  # noqa: E402
from benchmarks.tasks.systems import POOLS, commands, first_message  # noqa: E402
from benchmarks.tasks.tally import Tally  # noqa: E402
from benchmarks.tasks.workers import Workers  # noqa: E402


def measured(system: str, rate: float, *, pool: str = "threads", length: int = 4, **other: Any) -> Measurement:
    facts: dict[str, Any] = {
        "chains": 10,
        "seconds": 10 / rate,
        "cpu_us_per_task": 100.0,
        "broker_cpu_us_per_task": 200.0,
        "connections": 2,
        "peak_mb": 50.0,
        "lost": 0,
        "duplicates": 0,
        "journaled": None,
    }
    return Measurement(system=system, pool=pool, length=length, chains_per_second=rate, **(facts | other))


# --- figures


def test_a_ratio_is_taken_within_rounds_so_that_a_slow_moment_hits_both() -> None:
    # Given a machine that was ten times slower in the second round
    rounds = [
        [measured("a", 1000), measured("c", 2000)],
        [measured("a", 100), measured("c", 220)],
        [measured("a", 1000), measured("c", 2100)],
    ]
    # Then the ratio does not see it
    assert ratio(rounds, "threads", 4, to="a") == pytest.approx((2.1, 2.0, 2.2))


def test_a_ratio_leaves_out_rounds_in_which_one_failed_and_other_pools() -> None:
    rounds = [
        [measured("a", 100), measured("c", 200), measured("c", 900, pool="gevent100"), measured("c", 950, length=1)],
        [measured("c", 9000)],
    ]
    assert ratio(rounds, "threads", 4, to="a") == Spread(2.0, 2.0, 2.0)
    assert ratio(rounds, "gevent100", 4, to="a") is None


def test_figures_are_the_median_rate_the_worst_of_a_process_and_the_sum_of_what_went_wrong() -> None:
    rounds = [
        [measured("c", 100, connections=2, peak_mb=40.0, lost=1, journaled=1.0)],
        [measured("c", 400, connections=3, peak_mb=90.0, duplicates=2, journaled=0.5)],
        [measured("c", 300, cpu_us_per_task=900.0, journaled=1.0)],
    ]
    [figures] = summarise(rounds)
    assert figures.rate == Spread(300, 100, 400)
    assert (figures.cpu_us, figures.broker_cpu_us) == (100.0, 200.0)
    assert (figures.connections, figures.peak_mb) == (3, 90.0)
    assert (figures.chains, figures.lost, figures.duplicates, figures.journaled) == (30, 1, 2, 0.5)


def test_a_single_value_is_shown_without_a_spread() -> None:
    assert str(Spread.of([2.0])) == "2.00"
    assert str(Spread.of([2.0, 3.0, 2.5])) == "2.50 (2.00–3.00)"


def test_the_chart_is_a_picture_of_all_figures(tmp_path: Path) -> None:
    rounds = [[measured(system, 100, length=length) for system in "abcd" for length in (1, 4)]]
    draw(summarise(rounds), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


# --- options and output


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(bench.command)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[int], Size]]:
    """Record what would be measured; nothing runs."""
    made: list[tuple[str, str, list[int], Size]] = []

    def instead(
        _rabbit: Any, system: str, pool: str, lengths: list[int], *, queue_type: str, size: Size, base: object = None
    ) -> Any:
        made.append((system, pool, lengths, size))
        if system == "b":
            raise MeasurementFailed("b fell over")
        return [measured(system, 100.0 * (system == "c") + 50, pool=pool, length=length) for length in lengths]

    class Nothing:
        def __enter__(self) -> None: ...
        def __exit__(self, *_exc: Any) -> None: ...

    monkeypatch.setattr(bench, "private_rabbit", Nothing)
    monkeypatch.setattr(bench, "measure", instead)
    monkeypatch.setattr(bench.signal, "signal", lambda *_: None)
    return made


def test_the_systems_take_turns_in_every_round_and_another_one_begins_each(calls: list[Any]) -> None:
    run("--only", "a,c,d", "--pool", "threads,gevent100", "--rounds", "2")
    assert [(system, pool) for system, pool, *_ in calls] == [
        *[("a", "threads"), ("c", "threads"), ("d", "threads")],
        *[("a", "gevent100"), ("c", "gevent100"), ("d", "gevent100")],
        *[("c", "threads"), ("d", "threads"), ("a", "threads")],
        *[("c", "gevent100"), ("d", "gevent100"), ("a", "gevent100")],
    ]


def test_quick_is_one_round_and_what_is_typed_beside_it_counts(calls: list[Any]) -> None:
    run("--quick", "--only", "c", "--chain", "4", "--seconds", "0.5", "--messages", "200")
    assert calls == [("c", "gevent100", [4], Size(0.5, 200)), ("c", "threads", [4], Size(0.5, 200))]


@pytest.mark.parametrize(
    ("option", "value"), [("--only", "a,x"), ("--pool", "threads,fibers"), ("--chain", "5"), ("--queue-type", "stream")]
)
def test_an_unknown_choice_is_named_before_anything_starts(calls: list[Any], option: str, value: str) -> None:
    result = run(option, value)
    assert result.exit_code == 2
    assert value.rpartition(",")[2] in result.stderr
    assert calls == []


def test_a_system_that_fails_leaves_the_others_their_figures_and_the_status_tells(calls: list[Any]) -> None:
    result = run("--quick", "--pool", "threads", "--chain", "4", "--json")
    assert result.exit_code == 1
    assert "b fell over" in result.stderr
    found = json.loads(result.stdout)
    assert [one["system"] for one in found["figures"]] == ["a", "e", "c", "d"]
    assert len(found["failures"]) == 1


def test_the_table_holds_ratios_and_says_that_the_journal_is_off(calls: list[Any]) -> None:
    result = run("--quick", "--only", "a,c", "--pool", "threads", "--chain", "4")
    assert result.exit_code == 0
    assert "3.00" in result.stdout
    assert "journal of growbin_jobs is OFF" in result.stdout


# --- parts


def test_the_tally_tells_what_is_missing_from_what_came_twice(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", 10)
    for chain in (2, 3, 3, 3, 9):
        tally.mark(chain)
    assert tally.finished(range(2, 6)) == 2
    assert tally.duplicates(range(2, 6)) == 2
    assert tally.finished(range(10)) == 3


def test_the_tally_is_shared_by_processes(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", 4)
    code = "import sys, pathlib; from benchmarks.tasks.tally import Tally; Tally(pathlib.Path(sys.argv[1])).mark(1)"
    env = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "tally")], env=env, check=True)
    assert tally.finished(range(4)) == 1


class Fake:
    """Workers and their broker in one: what is loaded runs when they are let go, except for the chains to lose."""

    alive = True

    def __init__(self, tally: Tally, lose: int, keep: int) -> None:
        self.tally, self.lose, self.keep = tally, lose, keep
        self.loaded: list[bytes] = []
        self.cpu = 0.0

    def cpu_seconds(self) -> float:
        self.cpu += 1.0
        return self.cpu

    def freeze(self) -> None:
        self.loaded.clear()

    def load(self, _queue: str, messages: Iterable[tuple[bytes, dict[str, Any]]]) -> None:
        self.loaded += [body for body, _ in messages]
        self.cpu += 1000.0

    def thaw(self) -> None:
        for body in self.loaded[self.lose :]:
            self.tally.mark(json.loads(body)["args"][0])

    def left(self) -> dict[str, int]:
        return {"queue": self.keep} if self.keep else {}

    def last_words(self) -> str:
        return "last words"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "COUNT_INTERVAL", 0.02)
    monkeypatch.setattr(measurement, "ASK_AFTER", 0.01)
    monkeypatch.setattr(measurement, "LOST_AFTER", 0.02)
    monkeypatch.setattr(measurement, "STALL_TIMEOUT", 0.2)


@pytest.mark.usefixtures("hurried")
def test_chains_that_are_nowhere_any_more_count_as_lost(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", 100)
    fake: Any = Fake(tally, lose=3, keep=0)
    chains = Session("a", fake, fake, tally, fake.cpu_seconds).drain(10, 4).chains
    assert tally.finished(chains) == 7


@pytest.mark.usefixtures("hurried")
def test_what_the_broker_spends_on_loading_is_not_counted(tmp_path: Path) -> None:
    fake: Any = Fake(Tally(tmp_path / "tally", 100), lose=0, keep=0)
    assert Session("a", fake, fake, fake.tally, fake.cpu_seconds).drain(10, 4).broker_cpu == 1.0


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("lose", "words"), [(3, "7 of 10 chains ended"), (0, "not all were acknowledged")])
def test_a_drain_that_does_not_come_to_an_end_is_given_up(tmp_path: Path, lose: int, words: str) -> None:
    tally = Tally(tmp_path / "tally", 100)
    fake: Any = Fake(tally, lose, keep=5)
    with pytest.raises(MeasurementFailed, match=words):
        Session("a", fake, fake, tally, fake.cpu_seconds).drain(10, 4)


@pytest.mark.usefixtures("hurried")
def test_every_drain_has_chains_of_its_own(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", 100)
    fake: Any = Fake(tally, lose=0, keep=0)
    session = Session("a", fake, fake, tally, fake.cpu_seconds)
    assert [session.drain(number, 4)[0] for number in (10, 20)] == [range(10), range(10, 30)]
    assert tally.duplicates(range(30)) == 0
    assert session.tasks == 120


@pytest.mark.usefixtures("hurried")
def test_trials_grow_until_they_take_long_enough_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = Fake(Tally(tmp_path / "tally", 100), lose=0, keep=0)
    session = Session("a", fake, fake, fake.tally, fake.cpu_seconds)
    took = iter([0.1, 0.4, 0.6])
    asked = []

    def drain(number: int, _length: int) -> Drained:
        asked.append(number)
        return Drained(range(number), next(took), 9.0, 0.0)

    monkeypatch.setattr(session, "drain", drain)
    assert session.rate(10, 4, 1000) == 80 / 0.6
    assert asked == [10, 40, 80]  # at most four times as many, at least twice
    took = iter([0.01, 0.02])
    assert session.rate(50, 4, 60) == 60 / 0.02  # there are no more


def test_each_system_gets_as_many_processes_as_the_pool_says() -> None:
    threads = POOLS["threads"]
    assert [len(commands(system, threads)) for system in "abcd"] == [1, 1, 1, threads.processes]
    assert "dramatiq-gevent" in commands("c", POOLS["gevent100"])[0][0]


def test_first_messages_carry_the_same_in_each_format() -> None:
    ours, _ = first_message("c", 7, 4)
    celerys, properties = first_message("d", 7, 4)
    assert json.loads(ours)["args"] == json.loads(celerys)[0]
    assert properties["application_headers"]["task"] == json.loads(ours)["actor_name"]


def test_workers_are_gone_after_the_block_and_frozen_ones_too(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    with Workers([sleeper, sleeper], {}, tmp_path / "log") as workers:
        assert workers.alive
        workers.freeze()
    assert not workers.alive


def test_workers_are_gone_when_the_start_of_the_next_one_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    workers = Workers([sleeper, sleeper], {}, tmp_path / "log")
    start, started = workers._start, []

    def interrupted(*arguments: Any) -> Any:
        if started:
            raise KeyboardInterrupt
        started.append(start(*arguments))
        return started[0]

    monkeypatch.setattr(workers, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workers.__enter__()
    assert started[0].poll() is not None


def test_an_interrupt_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(bench.signal, "signal", handlers.__setitem__)
    with pytest.raises(KeyboardInterrupt):
        bench._interrupt()
    assert set(handlers.values()) == {signal.SIG_IGN}


# --- for real


@pytest.mark.before_release
@pytest.mark.services
@pytest.mark.timeout(60)
def test_real_workers_drain_every_chain_once(rabbitmq_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "TRIAL", 8)
    monkeypatch.setattr(measurement, "COUNT_INTERVAL", 0.05)
    size = Size(seconds=0.2, tasks=400)
    # Classic queues are counted at once without a change to a server that other tests use too.
    for system in "cd":
        [found] = measure(Rabbit(rabbitmq_server), system, "threads", [4], queue_type="classic", size=size)
        assert (found.lost, found.duplicates) == (0, 0)
        assert found.chains > 0
        assert found.chains_per_second > 0
        assert 1 <= found.connections <= (6 if system == "c" else 20)
