"""Imports point down or stay in their room; the engine knows nothing of waste; nothing imports in a circle."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.architecture.sources import MODULES, SOURCE, statements_of, text_of, tree_of

#: Every module belongs to the first row whose name fits; a row may import rows of its own level and below.
ROOMS = (
    ("words", 0, ("settings", "errors", "reasons", "sentences", "names", "states", "messages", "__init__")),
    ("model catalog", 0, ("model_catalog",)),
    ("picture keys", 0, ("picture_keys",)),
    ("rates and limit names", 0, ("rates", "limit_names")),
    ("samples", 0, ("samples",)),
    ("schedule's process", 5, ("scheduler.__main__", "scheduler.process", "scheduler.exporter")),
    ("schedule", 1, ("scheduler",)),
    ("edge", 1, ("models", "limits", "metrics", "adapters", "platform.tables", "platform.measures")),
    (
        "wiring",
        3,
        (
            "app",
            "wiring",
            "proving",
            "observation",
            "actors",
            "failure_recording",
            "periodic_actors",
            "storage.bootstrap",
            "ai.bootstrap",
            "ai.model_clients",
            "ai.model_ends",
            "ai.stage_models",
            "ai.rehearsal",
            "platform.bootstrap",
            "alerting",
        ),
    ),
    (
        "actors",
        4,
        (
            "storage.actors",
            "storage.platform_actors",
            "storage.__init__",
            "ai.actors",
            "ai.platform_actors",
            "ai.__init__",
        ),
    ),
    ("services", 2, ("storage", "ai", "operations", "platform", "alerts")),
    (
        "entry",
        5,
        (
            "client",
            "checks",
            "cli",
            "monitor",
            "testing",
            "keeper",
            "results",
            "another_engine",
            "operating",
            "inspect",
        ),
    ),
)

#: The engine's own levels, from the ground: a package or a module of its root.
ENGINE = (
    ("errors", "reasons", "text", "addresses", "groups", "threads", "processes", "crashpoints", "backoff", "events",
     "foreign_errors", "foreign_numbers", "pauses", "observers", "json_logs", "tracing", "dramatiq_log",
     "native_logging", "greenlet_patches", "layout", "data_folder", "file_system", "file_limit", "folder_rights",
     "tcp_listener", "secret_files", "settings", "wrong_worker", "quiet_loading"),
    ("sqlite", "node", "fast", "periodic.timetable", "periodic.clock", "periodic"),
    ("config",),
    ("delivery",),
    ("actors",),
    ("journal.tables",),
    ("journal.file",),
    ("journal",),
    ("broker.port", "broker.errors", "broker.__init__"),
    ("forwarding", "central"),
    ("control", "task_progress"),
    ("broker",),
    ("opening", "task_rows"),
    ("results", "rate_limits", "isolation"),
    ("task_lookup",),
    ("task_results", "inspect"),
    ("middleware",),
    ("keeper", "testing"),
    ("supervision",),
    ("engine",),
    ("__init__",),
)  # fmt: skip


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


NAMES = [name_of(path) for path in MODULES]
EXISTING = frozenset(NAMES)


def fits(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def room_of(module: str) -> tuple[str, int]:
    for room, level, names in ROOMS:
        if fits(module, names):
            return room, level
    raise AssertionError(f"{module} has no room: add it to the house (ROOMS)")


def engine_level(module: str) -> int:
    inner = module.removeprefix("engine.")
    for level, names in enumerate(ENGINE):
        if fits(inner, names):
            return level
    raise AssertionError(f"{module} has no level: add it to the engine (ENGINE)")


def imports_of(path: Path) -> set[str]:
    """The modules of the project that a file imports, inside functions too; a package counts as its ``__init__``."""
    found = set()
    for node in statements_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "growbin_jobs":
            base = (node.module or "").split(".")[1:]
            found |= {_existing(base, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                _existing(name.name.split(".")[1:], None)
                for name in node.names
                if name.name.split(".")[0] == "growbin_jobs"
            }
    return found


def _existing(parts: list[str], name: str | None) -> str:
    for candidate in ([*parts, name] if name else parts, parts):
        for module in (".".join(candidate), ".".join([*candidate, "__init__"])):
            if module in EXISTING:
                return module
    raise AssertionError(f"growbin_jobs.{'.'.join(parts)} does not exist")


@cache
def imports() -> dict[str, set[str]]:
    """The imports of each module. Read by the first test: each of pytest's processes collects, and one tests."""
    return {name_of(path): imports_of(path) - {name_of(path)} for path in MODULES}


def wrong(judge: Callable[[str, set[str]], set[str]], modules: list[str]) -> dict[str, set[str]]:
    """Return the imports that a rule forbids, by module. One test for all: a test each took a minute."""
    found = {module: judge(module, imports()[module]) for module in modules}
    return {module: others for module, others in found.items() if others}


ENGINE_NAMES = [name for name in NAMES if name.startswith("engine.")]
OTHER_NAMES = [name for name in NAMES if not name.startswith("engine.")]


def test_the_engine_imports_the_engine_only():
    assert wrong(lambda _, others: {other for other in others if not other.startswith("engine.")}, ENGINE_NAMES) == {}


def test_the_engine_s_imports_point_down():
    def upwards(module: str, others: set[str]) -> set[str]:
        return {other for other in others if engine_level(other) > engine_level(module)}

    assert wrong(upwards, ENGINE_NAMES) == {}


def test_imports_point_down():
    def upwards(module: str, others: set[str]) -> set[str]:
        outside = {other for other in others if not other.startswith("engine.")}
        # An actor's services are built by a bootstrap that it imports when the first message comes.
        return {other for other in outside if room_of(other)[1] > room_of(module)[1]}

    assert wrong(upwards, OTHER_NAMES) == {}


def test_the_groups_meet_by_message_only():
    def across(module: str, others: set[str]) -> set[str]:
        group = {"storage": "ai", "ai": "storage"}.get(module.split(".")[0])
        return {other for other in others if other.split(".")[0] == group}

    assert wrong(across, NAMES) == {}


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of nodes that import each other in a circle (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in imports.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = []
            while True:
                circle.append(stack.pop())
                if circle[-1] == node:
                    break
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in imports:
        if node not in index:
            visit(node)
    return found


def package_of(module: str) -> str:
    """The folder of a module; modules of the three roots are rooms of their own."""
    parts = module.split(".")
    if len(parts) == 1 or (parts[0] in ("engine", "monitor") and len(parts) == 2):
        return module
    return ".".join(parts[:-1])


def test_no_files_import_each_other_in_a_circle():
    assert circles(imports()) == []


def test_no_packages_import_each_other_in_a_circle():
    packages: dict[str, set[str]] = {}
    for module, others in imports().items():
        here = package_of(module)
        packages.setdefault(here, set()).update({package_of(other) for other in others} - {here})

    assert circles(packages) == []


def imported_libraries(path: Path) -> set[str]:
    nodes = [*statements_of(path)]
    names = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


def test_services_are_pure():
    others = [path for path in MODULES if not name_of(path).startswith("engine.")]
    services = [path for path in others if room_of(name_of(path))[0] == "services"]
    forbidden = {"dramatiq", "peewee", "pika", "boto3", "openai"}

    assert services
    assert {name_of(path) for path in services if imported_libraries(path) & forbidden} == set()


def reads_environment(path: Path) -> bool:
    return any(name in text_of(path) for name in ("environ", "getenv")) and any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and getattr(node.value, "id", "") == "os"
        for node in ast.walk(tree_of(path))
    )


def test_only_the_settings_read_the_environment():
    # The demo clears the variables of servers for itself and the workers that it starts. A locale is no setting.
    assert {name_of(path) for path in MODULES if reads_environment(path)} == {
        "settings.references", "engine.settings", "engine.data_folder", "cli.demo", "cli.person",
    }  # fmt: skip
