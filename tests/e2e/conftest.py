"""Whole stacks for end-to-end tests: real worker processes, embedded or on private servers, and an audit of states."""

import contextlib
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from tests import command_line
from tests.stack_modules import STACK_MODULES
from tests.upgraded import upgrade
from tests.whole import WHOLE

from growbin_jobs import names
from growbin_jobs import settings as _settings
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.wiring import central_database

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT.parent / "shared" / "photos" / "train"

#: What would start both groups in an interpreter of their own.
BOTH_GROUPS = [sys.executable, "-m", "tests.both_groups"]

#: Of each worker process of storage.
GREENLETS = "100"

#: Quick enough for tests; everything else is the default.
QUICK = {
    "GROWBIN_UPLOAD_BACKOFF": "0.2",
    "GROWBIN_VISION_BACKOFF": "0.2",
    "GROWBIN_RULE_BACKOFF": "0.2",
    "GROWBIN_RESPONSE_BACKOFF": "0.2",
    "GROWBIN_DEFERRAL_WAIT": "0.5",
    "GROWBIN_DATABASE_TIMEOUT": "3",
    "GROWBIN_LANGUAGE": "en",
    "GROWBIN_VISION_LIMIT": "0",
    "GROWBIN_TEXT_LIMIT": "0",
}

AUDIT = {
    "sqlite": (
        "CREATE TABLE status_notes (id TEXT NOT NULL, status TEXT NOT NULL)",
        """CREATE TRIGGER audit_insert AFTER INSERT ON waste_analysis
           BEGIN INSERT INTO status_notes VALUES (NEW.id, NEW.status); END""",
        """CREATE TRIGGER audit_update AFTER UPDATE OF status ON waste_analysis WHEN OLD.status <> NEW.status
           BEGIN INSERT INTO status_notes VALUES (NEW.id, NEW.status); END""",
    ),
    "postgresql": (
        "CREATE TABLE status_notes (id TEXT NOT NULL, status TEXT NOT NULL)",
        """CREATE FUNCTION note() RETURNS trigger AS $$
           BEGIN
               IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN
                   INSERT INTO status_notes VALUES (NEW.id, NEW.status);
               END IF;
               RETURN NEW;
           END $$ LANGUAGE plpgsql""",
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE ON waste_analysis FOR EACH ROW EXECUTE FUNCTION note()",
    ),
}


@dataclass
class Stack:
    """One installation of the product, of its own, and what a test does to it."""

    folder: Path
    env: dict[str, str]
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = self._load()
        self.database = central_database(self.settings)
        self.analyses = Analyses(self.database)
        upgrade(self.database, SCHEMA)
        for statement in AUDIT[self.database.dialect]:
            self.database.run(lambda connection, sql=statement: connection.execute_sql(sql))

    def _load(self) -> _settings.Settings:
        known = {_settings.Settings.variable(name): name for name in _settings.Settings.model_fields}
        return _settings.load(**{known[key]: value for key, value in self.env.items() if key in known})

    def start(
        self,
        *groups: str,
        processes: int = 1,
        threads: int = 8,
        through: Mapping[str, str] | None = None,
        scheduler: bool = False,
        command: bool = False,
        greenlets: bool = True,
        operator_pause: float | None = None,
    ) -> None:
        """Start the workers of groups, each with a supervisor of its own; both under one unless some are named.

        Parameters:
          groups: Named where they end, or begin, apart.
          processes, threads: Of each group, of each process. Those of storage have greenlets.
          through: Changes their environment.
          scheduler: Have one beside both groups.
          command: By ``growbin-jobs worker``, whose interpreters start and load for themselves.
          greenlets: False where nothing is tested that storage's workers do: they have threads then, and are forked,
            which spares the interpreter that gevent needs. With all tests they have greenlets.
          operator_pause: Seconds between two probes of what needs an operator; None: a minute.
        """
        env = self.full_env | dict(through or {})
        numbers = ["--processes", str(processes), "--threads", str(threads)]
        pool = [] if greenlets or WHOLE else ["--pool", "threads"]
        own = [*numbers, "--greenlets", GREENLETS, *["--scheduler"] * scheduler, *pool]
        own += [] if operator_pause is None else ["--operator-pause", str(operator_pause)]
        for together in [[name] for name in groups] or [[*names.GROUPS]]:
            with self._log(*together) as log:
                options = {"env": env, "stdout": log, "stderr": log, "cwd": ROOT}
                if command:
                    started = command_line.start("worker", *together, *numbers, **options)
                else:
                    program = ("tests.both_groups", BOTH_GROUPS, *own, *together)
                    started = command_line.start_program(*program, loaded=STACK_MODULES, **options)
            self.workers |= dict.fromkeys(together, started)

    def stop(self, timeout: float = 60.0) -> dict[str, int]:
        """Let workers drain, and return their exit codes by group."""
        chosen, self.workers = self.workers, {}
        for process in set(chosen.values()):  # a second signal would not let them
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        return {name: process.wait(timeout) for name, process in chosen.items()}

    def kill(self, *groups: str) -> None:
        """kill -9 the masters and all worker processes of groups, of all unless some are named."""
        for master in {self.workers.pop(group) for group in groups or list(self.workers)}:
            assert master not in self.workers.values(), "start apart what is killed apart"
            for process in [psutil.Process(master.pid), *psutil.Process(master.pid).children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            master.wait()

    def run(self, *arguments: object, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return command_line.run(*arguments, env=self.full_env, text=True, check=check, timeout=120)

    @property
    def full_env(self) -> dict[str, str]:
        return {
            key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "OPENAI_"))
        } | self.env

    def submit(self, photos: Sequence[Path]) -> dict[str, Path]:
        """Hand in photos with the command line; return them by analysis id."""
        done = self.run("analyze", "--no-wait", "--json", *photos, check=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["id"]: Path(line["photo"]) for line in lines}

    def send(self, code: str) -> None:
        """Run a producer's code in a process of its own."""
        command_line.run_python([sys.executable, "-c", code], env=self.full_env, check=True)

    def wait(self, ids: Sequence[str], *, timeout: float) -> dict[str, Analysis]:
        """Wait until all analyses have come to an end."""
        return self.wait_for(ids, lambda analysis: analysis.status.is_final, timeout=timeout)

    def wait_for(
        self, ids: Sequence[str], reached: Callable[[Analysis], bool], *, timeout: float
    ) -> dict[str, Analysis]:
        """Wait until a condition holds for all analyses; a database has no signal to await."""
        deadline = time.monotonic() + timeout
        found: dict[str, Analysis] = {}
        while waiting := set(ids) - found.keys():
            found |= {key: analysis for key, analysis in self.analyses.find(waiting).items() if reached(analysis)}
            if not found.keys() >= waiting:
                if time.monotonic() > deadline:
                    pytest.fail(
                        f"{len(waiting)} of {len(ids)} analyses did not get there in {timeout} s.\n{self.last_words()}"
                    )
                time.sleep(0.1)
        return found

    def wait_for_some(self, ids: Sequence[str], status: AnalysisStatus, count: int, *, timeout: float) -> None:
        """Wait until so many of the analyses have come at least so far."""
        deadline = time.monotonic() + timeout
        while (
            sum(number for reached, number in self.analyses.count_by_status().items() if reached.rank >= status.rank)
            < count
        ):
            if time.monotonic() > deadline:
                pytest.fail(
                    f"fewer than {count} of {len(ids)} analyses are {status} after {timeout} s.\n{self.last_words()}"
                )
            time.sleep(0.01)

    def times_reached(self, status: str) -> dict[str, int]:
        """How often each analysis reached a status, by the database's own audit."""
        sql = f"SELECT id, COUNT(*) FROM status_notes WHERE status = '{status}' GROUP BY id"
        return dict(self.database.run(lambda connection: list(connection.execute_sql(sql))))

    def last_words(self, lines: int = 15) -> str:
        """The end of the workers' logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-lines:]) for log in logs)

    def await_log(self, group: str, words: str, *, timeout: float = 120.0) -> None:
        """Wait until a group's workers have said something."""
        deadline = time.monotonic() + timeout
        while words not in self.log(group):
            if time.monotonic() > deadline:
                pytest.fail(f"{group} did not say {words!r} in {timeout} s.\n{self.last_words()}")
            time.sleep(0.02)

    def log(self, group: str) -> str:
        """Everything that a group's workers said, and what others said that were started with them."""
        return "".join(log.read_text() for log in self.folder.glob("*.log") if group in log.stem.split("-"))

    def _log(self, *groups: str) -> BinaryIO:
        return (self.folder / f"{'-'.join(groups)}.log").open("ab")

    def close(self) -> None:
        """End whatever still runs."""
        self.kill()
        self.database.close()


def _stub(name: str):
    spec = importlib.util.spec_from_file_location(f"{name}_e2e", ROOT / "tests" / "stubs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def openai():
    """A stand-in for OpenAI that checks every request against OpenAI's own schema."""
    stub = _stub("openai_server").StubOpenAI(key="sk-canary-7f3a")
    with stub:
        yield stub
        assert stub.stats()["violations"] == []


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stack]:
    """Nothing but a folder: no server, no key."""
    stack = Stack(tmp_path, QUICK | {"GROWBIN_DATA_DIR": str(tmp_path / "data")})
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def storing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same with workers of storage, which have started, for tests of a file that tell their pictures apart."""
    folder = tmp_path_factory.mktemp("storing")
    stack = Stack(folder, QUICK | {"GROWBIN_DATA_DIR": str(folder / "data")})
    stack.start("storage")
    yield stack
    stack.close()


def online(stub) -> dict[str, str]:
    """Environment of workers that ask the stand-in."""
    return {
        "OPENAI_API_KEY": stub.key,
        "OPENAI_BASE_URL": stub.url,
        "GROWBIN_MODEL_SERVER": "openai",
        "GROWBIN_VISION_TIMEOUT": "20",
        "GROWBIN_VISION_TIME_LIMIT": "30",
    }


@pytest.fixture
def embedded_online(tmp_path: Path, openai) -> Iterator[Stack]:
    """Embedded, with a model server."""
    stack = Stack(tmp_path, QUICK | online(openai) | {"GROWBIN_DATA_DIR": str(tmp_path / "data")})
    yield stack
    stack.close()


@pytest.fixture
def model_servers():
    """The stand-ins for other kinds of model servers, as a module."""
    return _stub("model_servers")


@pytest.fixture
def any_server(tmp_path: Path, model_servers) -> Iterator[tuple[Stack, object]]:
    """Embedded, with a model server of which nothing is known, and which is of each kind in turn."""

    class AnyServer(model_servers.StubServer):
        """Another kind of server for each picture, and for each text."""

        kinds = tuple(model_servers.KINDS.values())

        @property
        def url(self) -> str:
            return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

        @property
        def kind(self):
            return getattr(self._chosen, "kind", self.kinds[0])

        @kind.setter
        def kind(self, kind) -> None:
            self._chosen, self._seen, self._texts = threading.local(), [], itertools.count()

        def take(self, body, headers):
            picture = model_servers._picture(body)
            if picture is not None and picture not in self._seen:
                self._seen.append(picture)
            turn = next(self._texts) if picture is None else self._seen.index(picture)
            self._chosen.kind = self.kinds[turn % len(self.kinds)]
            return super().take(body, headers)

    with AnyServer("gemini", key="canary-7f3a") as stub:
        own = {
            "GROWBIN_DATA_DIR": str(tmp_path / "data"),
            "GROWBIN_MODEL_SERVER": "auto",
            "GROWBIN_VISION_MODEL": "m",
            "GROWBIN_TEXT_MODEL": "m",
            "GROWBIN_VISION_REASONING_EFFORT": "minimal",
            "GROWBIN_VISION_TEMPERATURE": "0.2",
        }
        stack = Stack(tmp_path, QUICK | online(stub) | own)
        yield stack, stub
        stack.close()
        assert stub.violations == []


@pytest.fixture
def cluster(tmp_path: Path, openai, rabbitmq_url, upgraded_postgres_url, s3_server) -> dict[str, str]:
    """Environment of RabbitMQ, PostgreSQL, S3 and a model server."""
    servers = {
        "GROWBIN_DATA_DIR": str(tmp_path / "data"),
        "GROWBIN_BROKER_URL": rabbitmq_url,
        "DATABASE_URL": upgraded_postgres_url,
        "GROWBIN_OBJECT_STORE_URL": s3_server.url,
        "GROWBIN_S3_ENDPOINT_URL": s3_server.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        "AWS_DEFAULT_REGION": s3_server.region,
    }
    return QUICK | online(openai) | servers


@pytest.fixture
def clustered(tmp_path: Path, cluster: dict[str, str]) -> Iterator[Stack]:
    """RabbitMQ, PostgreSQL, S3 and a model server."""
    stack = Stack(tmp_path, cluster)
    yield stack
    stack.close()


class Gated:
    """A clustered stack whose workers reach one server through a gate; the test itself and producers do not."""

    def __init__(self, folder: Path, cluster: dict[str, str], variable: str) -> None:
        self.stack = Stack(folder, dict(cluster))
        self.gate, url = behind_gate(cluster[variable])
        self.through = {variable: url}


@pytest.fixture
def gated(tmp_path: Path, cluster: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Gated]:
    """Parametrise it indirectly with the variable of the server."""
    made = Gated(tmp_path, cluster, request.param)
    yield made
    made.stack.close()
    made.gate.shut()


@pytest.fixture
def either(request: pytest.FixtureRequest) -> Stack:
    """The embedded or the clustered stack, both with a model server; parametrise it indirectly."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Different photos of waste, the same each time. They are data beside the project."""
    assert PHOTOS.is_dir(), "put ../shared/photos beside the project"
    by_class = [sorted(folder.glob("*.jpg")) for folder in sorted(PHOTOS.glob("*/*"))]
    longest = max(map(len, by_class))
    return [files[index] for index in range(longest) for files in by_class if index < len(files)]


def behind_gate(url: str):
    """Put a gate in front of the server of a URL; return the gate and the URL that goes through it."""
    spec = importlib.util.spec_from_file_location("tcp_gate", ROOT / "tests" / "stubs" / "tcp_gate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parts = urlsplit(url)
    gate = module.Gate(parts.hostname, parts.port)
    user = parts.netloc.rpartition("@")[0]
    place = f"{user}@127.0.0.1:{gate.port}" if user else f"127.0.0.1:{gate.port}"
    return gate, urlunsplit(parts._replace(netloc=place))
