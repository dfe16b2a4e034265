"""How scripts/services starts, finds and ends processes, on a toy server; the real ones are in tests/integration."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from private_services import command, install, lifecycle, ports  # noqa: E402
from private_services.errors import ServicesError  # noqa: E402
from private_services.process import Process, spawn  # noqa: E402
from private_services.record import Record  # noqa: E402

TOY = """
import http.server, sys
print("toy starts", flush=True)
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
server.serve_forever()
"""


class Toy:
    """A server that needs one port, and no installation."""

    packages: tuple[str, ...] = ("toy-server",)
    stop_signal = signal.SIGTERM

    def __init__(self, name: str = "toy", program: str = TOY, candidates: list[int] | None = None) -> None:
        self.name = name
        self.program = program
        self.candidates = candidates
        self.installed = True

    def missing(self) -> str | None:
        return None if self.installed else "Toy is not installed."

    def start(self, record: Record) -> None:
        port = self.candidates.pop(0) if self.candidates else ports.free_ports(1)[0]
        record.facts = {"port": port}
        scrap = record.folder.parent / f"{self.name}-scrap"
        record.keep(scrap)
        scrap.touch()
        record.spawn([sys.executable, "-c", self.program, str(port)], env=dict(os.environ))

    def differs(self, _record: Record) -> str | None:
        return None

    def answers(self, record: Record) -> bool:
        return ports.listening(record.facts["port"])

    def variables(self, record: Record) -> dict[str, str]:
        return {"TOY_URL": f"http://127.0.0.1:{record.facts['port']}/it's"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "services"
    for record in (tmp_path / "services").glob("*/server.json"):
        for process in json.loads(record.read_text())["processes"]:
            Process(**process).end(signal.SIGKILL)


def _sleeper(tmp_path: Path, program: str = "import time; print('up', flush=True); time.sleep(600)") -> Process:
    process = spawn([sys.executable, "-c", program], env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")
    deadline = time.monotonic() + 20
    while "up" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
    return process


# --- processes


def test_a_process_that_ends_at_once_is_one_that_has_ended(tmp_path: Path) -> None:
    for _ in range(20):  # it ends before, while or after we look
        process = spawn(["/bin/true"], env={}, cwd=tmp_path, log=tmp_path / "log")
        assert process.wait(20.0)
        assert not process.alive()


def test_a_process_that_was_given_an_old_pid_is_left_alone(tmp_path: Path) -> None:
    process = _sleeper(tmp_path)
    try:
        impostor = Process(process.pid, "another-boot:12345")
        assert not impostor.alive()
        assert not impostor.send(signal.SIGKILL)
        impostor.end(signal.SIGKILL)
        assert process.alive()
    finally:
        process.end(signal.SIGKILL)
    assert not process.alive()
    process.end()  # twice is fine


def test_a_process_that_ignores_the_signal_or_is_frozen_ends_too(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    process = _sleeper(tmp_path, stubborn)
    process.end(signal.SIGTERM, grace=0.1)
    assert not process.alive()

    (tmp_path / "log").unlink()
    frozen = _sleeper(tmp_path)
    frozen.send(signal.SIGSTOP)
    frozen.end(signal.SIGTERM)
    assert not frozen.alive()


# --- ports


def test_free_ports_differ_and_nobody_has_them() -> None:
    with socket.socket() as taken:
        found = ports.free_ports(50)
        assert len(set(found)) == 50
        taken.bind((ports.LOOPBACK, found[0]))
        taken.listen()
        assert ports.listening(found[0])
        assert not ports.listening(found[1])


def test_free_ports_passes_over_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = ports.free_ports(3)
    monkeypatch.setattr(ports.random, "sample", lambda candidates, count: [first, second, third])
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, first))
        assert ports.free_ports(2) == [second, third]
        with pytest.raises(ServicesError, match="no 3 free ports"):
            ports.free_ports(3)


# --- up and down


def test_up_starts_waits_and_keeps_what_runs(folder: Path) -> None:
    toy = Toy()
    first = lifecycle.up([toy], folder)["toy"]
    assert toy.answers(first)
    again = lifecycle.up([toy], folder)["toy"]
    assert again.processes == first.processes
    assert lifecycle.state([toy], folder)["toy"].facts == first.facts

    assert lifecycle.down([toy], folder) == ["toy"]
    assert not first.alive()
    assert lifecycle.state([toy], folder) == {}
    assert sorted(path.name for path in folder.iterdir()) == []
    assert lifecycle.down([toy], folder) == []


def test_up_replaces_what_a_crash_left(folder: Path) -> None:
    toy = Toy()
    first = lifecycle.up([toy], folder)["toy"]
    first.processes[0].end(signal.SIGKILL)

    second = lifecycle.up([toy], folder)["toy"]
    assert second.processes != first.processes
    assert toy.answers(second)

    # A run that was killed while it started: recorded, running, never ready.
    second.ready = False
    second.save()
    third = lifecycle.up([toy], folder)["toy"]
    assert not second.alive()
    assert third.alive()

    (folder / "toy" / "server.json").write_text('{"half a rec')
    third.processes[0].end(signal.SIGKILL)
    assert lifecycle.up([toy], folder)["toy"].alive()


def test_a_port_that_was_lost_in_between_is_replaced(folder: Path) -> None:
    with socket.socket() as thief:
        thief.bind((ports.LOOPBACK, 0))
        stolen = thief.getsockname()[1]
        record = lifecycle.up([Toy(candidates=[stolen])], folder)["toy"]
    assert record.facts["port"] != stolen


def test_one_that_fails_takes_the_others_down_and_says_why(folder: Path) -> None:
    good, bad = Toy("good"), Toy("bad", program="import sys; sys.exit('my configuration is wrong')")
    with pytest.raises(ServicesError, match=r"bad ended while it started(.|\n)*my configuration is wrong"):
        lifecycle.up([good, bad], folder)
    assert list(folder.iterdir()) == []


def test_one_that_fails_leaves_alone_what_ran_before(folder: Path) -> None:
    good, bad = Toy("good"), Toy("bad", program="raise SystemExit(1)")
    before = lifecycle.up([good], folder)["good"]
    with pytest.raises(ServicesError):
        lifecycle.up([good, bad], folder)
    assert before.alive()


def test_two_folders_are_two_worlds(folder: Path, tmp_path: Path) -> None:
    toy = Toy()
    other = tmp_path / "services" / "other"
    one, two = lifecycle.up([toy], folder)["toy"], lifecycle.up([toy], other)["toy"]
    assert one.facts["port"] != two.facts["port"]
    lifecycle.down([toy], other)
    assert one.alive()


def test_servers_end_with_the_process_they_were_started_for(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "toy_services"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]
        import test_services
        from private_services import command
        command.SERVERS = {{"toy": test_services.Toy()}}
        command.SCRIPT = {str(script)!r}
        sys.exit(command.main())
        """)
    )
    owner = _sleeper(tmp_path)
    try:
        for _ in range(2):  # the second finds the first one's watcher
            arguments = ["up", "--dir", folder, "--with-pid", str(owner.pid), "--json"]
            done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
        [pid] = json.loads(done.stdout)["toy"]["pids"]
        toy = Process.of(pid)
    finally:
        owner.end(signal.SIGKILL)
    assert toy.wait(20)
    assert not toy.alive()


# --- the command line


@pytest.fixture
def toy_command(monkeypatch: pytest.MonkeyPatch) -> Toy:
    toy = Toy()
    monkeypatch.setattr(command, "SERVERS", {"toy": toy})
    return toy


def test_env_prints_what_a_shell_can_read(folder: Path, toy_command: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["env", "--dir", str(folder)]) == 1
    assert "toy not up. First: scripts/services up" in capsys.readouterr().err
    assert command.main(["status", "--dir", str(folder)]) == 3
    assert command.main(["up", "--dir", str(folder)]) == 0
    capsys.readouterr()

    assert command.main(["env", "--dir", str(folder)]) == 0
    exports = capsys.readouterr().out
    seen = subprocess.run(["sh", "-c", f'{exports}printf %s "$TOY_URL"'], capture_output=True, text=True, check=True)
    assert seen.stdout.startswith("http://127.0.0.1:")
    assert seen.stdout.endswith("/it's")

    assert command.main(["env", "--json", "--dir", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out) == {"TOY_URL": seen.stdout}
    assert command.main(["status", "--json", "--dir", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["toy"]["port"] > 0
    assert command.main(["down", "--json", "--dir", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out) == ["toy"]


def test_down_where_nothing_ever_was_makes_no_folder(folder: Path, toy_command: Toy) -> None:
    assert command.main(["down", "--dir", str(folder)]) == 0
    assert not folder.exists()


def test_an_unknown_server_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        command.main(["up", "--only", "rabbitmq,redis"])
    assert exit_.value.code == 2
    assert "unknown: redis; there are rabbitmq, postgres, s3" in capsys.readouterr().err


def test_runs_on_the_standard_library_alone() -> None:
    help_ = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPTS / "services", "up", "--help"], capture_output=True, text=True, check=True
    )
    assert "--with-pid" in help_.stdout


# --- installing

APT = """#!/bin/sh
echo "$@" >> "$APT_LOG"
test -x "$POLICY" && "$POLICY"; echo "policy: $?" >> "$APT_LOG"
case "$*" in *install*)
  test -n "$APT_FAILS" && { echo "E: no such package" >&2; exit 100; }
  touch "$APT_LOG.done";;
esac
exit 0
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that writes down what it is told."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text(APT)
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("APT_LOG", str(tmp_path / "apt.log"))
    monkeypatch.setenv("POLICY", str(tmp_path / "policy-rc.d"))
    monkeypatch.setattr(install, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(install.os, "geteuid", lambda: 0)
    return tmp_path / "apt.log"


class Installable(Toy):
    def __init__(self, done: Path) -> None:
        super().__init__()
        self.done = done

    def missing(self) -> str | None:
        return None if self.done.exists() else "Toy is not installed."


def test_root_installs_what_is_missing_without_starting_it(apt: Path) -> None:
    install.require([Installable(Path(f"{apt}.done"))])

    log = apt.read_text()
    assert "update" in log
    assert "install --yes --no-install-recommends toy-server" in log
    assert "policy: 101" in log
    assert not install.POLICY.exists()


def test_a_policy_that_is_there_stays(apt: Path) -> None:
    install.POLICY.write_text("#!/bin/sh\nexit 101\n")
    install.POLICY.chmod(0o755)
    install.require([Installable(Path(f"{apt}.done"))])
    assert install.POLICY.read_text() == "#!/bin/sh\nexit 101\n"


def test_an_installation_that_fails_says_so(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APT_FAILS", "1")
    with pytest.raises(ServicesError, match=r"could not install toy-server(.|\n)*no such package"):
        install.require([Installable(Path(f"{apt}.done"))])
    assert not install.POLICY.exists()


def test_nothing_is_installed_when_nothing_is_missing(apt: Path) -> None:
    install.require([Toy()])
    assert not apt.exists()


def test_others_than_root_are_told_what_to_install(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    with pytest.raises(ServicesError, match=r"Toy is not installed\.\nInstall as root: apt-get install toy-server"):
        install.require([Installable(Path(f"{apt}.done"))])
    assert not apt.exists()
