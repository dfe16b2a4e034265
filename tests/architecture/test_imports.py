"""Imports point down or stay in their room; the two worker groups never meet."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "growbin_jobs"

#: Every module belongs to the first row whose name fits; a row may import rows of its own level and below.
ROOMS = (
    (
        "words",
        0,
        (
            "settings",
            "errors",
            "reasons",
            "names",
            "states",
            "messages",
            "process",
            "addresses",
            "logs",
            "crashpoints",
            "text",
            "__init__",
        ),
    ),
    ("samples", 0, ("samples",)),
    ("edge", 1, ("journal", "broker", "models", "limits", "metrics", "adapters")),
    ("wiring", 3, ("app", "middleware", "wiring", "stages", "storage.bootstrap", "ai.bootstrap")),
    ("actors", 4, ("storage.actors", "storage.__init__", "ai.actors", "ai.__init__")),
    ("services", 2, ("storage", "ai")),
    ("entry", 5, ("client", "checks", "cli", "keeper", "scheduler", "monitor", "testing")),
)

MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def room_of(module: str) -> tuple[str, int]:
    for room, level, names in ROOMS:
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return room, level
    raise AssertionError(f"{module} has no room: add it to the house (ROOMS)")


def imports_of(path: Path) -> set[str]:
    """The modules of the project that a file imports, inside functions too; a package counts as its ``__init__``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
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
        path = SOURCE.joinpath(*candidate)
        if path.with_suffix(".py").is_file() and candidate:
            return ".".join(candidate)
        if (path / "__init__.py").is_file():
            return ".".join([*candidate, "__init__"])
    raise AssertionError(f"growbin_jobs.{'.'.join(parts)} does not exist")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path):
    module = name_of(path)
    _, level = room_of(module)

    upward = {other for other in imports_of(path) if room_of(other)[1] > level}

    # An actor's services are built by a bootstrap that it imports when the first message comes.
    assert upward == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_groups_meet_by_message_only(path):
    module = name_of(path)
    other = {"storage": "ai", "ai": "storage"}.get(module.split(".")[0])

    assert other is None or not [name for name in imports_of(path) if name.split(".")[0] == other]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_services_are_pure(path):
    if room_of(name_of(path))[0] != "services":
        return
    tree = ast.parse(path.read_text())
    names = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not names & {"dramatiq", "peewee", "pika", "boto3", "openai"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_settings_read_the_environment(path):
    reads = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and getattr(node.value, "id", "") == "os"
    ]

    # The demo clears the variables of servers for itself and the workers that it starts.
    assert not reads or name_of(path) in ("settings", "cli.demo")
