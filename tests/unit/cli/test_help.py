import json
import subprocess
import sys
from itertools import pairwise

import pytest
import typer

from growbin_jobs import __version__
from growbin_jobs.cli.app import app


def commands(command=None, path=()):
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, (*path, name))


ALL = list(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_two_names_ends_with_examples_to_copy_and_shows_no_type_where_none_is_taken(invoke, path):
    done = invoke(*path, "-h")

    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert "--help" in done.output
    assert "bool" not in done.output
    assert f"growbin-jobs {' '.join(path)}" in done.output.partition("Examples:")[2]
    assert max(map(len, map(str.rstrip, done.output.splitlines()))) <= 80


def test_sentences_fill_the_lines_of_any_terminal_and_examples_keep_theirs(invoke, monkeypatch):
    whole = (
        "Needs no server and no key; what it makes lies in a temporary folder and is removed. With OPENAI_API_KEY set "
        "the models of the settings answer instead of the offline ones. The advice is Korean, or with "
        "GROWBIN_LANGUAGE=en English."
    )
    for columns in (40, 80, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(typer.rich_utils, "MAX_WIDTH", columns)
        lines = [line.strip() for line in invoke("demo", "-h").output.splitlines()]
        begins = next(number for number, line in enumerate(lines) if line.startswith("Needs no server"))
        paragraph = lines[begins : lines.index("", begins)]
        assert " ".join(paragraph) == whole
        for line, following in pairwise(paragraph):
            assert len(f"{line} {following.partition(' ')[0]}") > columns - 2  # two are its margins
        assert "growbin-jobs demo --keep" in lines


def test_help_of_every_command_loads_next_to_nothing():
    """Imports are what makes it slow; Dramatiq and all that come when a command runs. (Typer itself loads pydantic.)"""
    code = f"""
import json, sys
from typer.testing import CliRunner
from growbin_jobs.cli.app import app
for path in {ALL!r}:
    assert CliRunner().invoke(app, [*path, "--help"]).exit_code == 0
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}

    assert not loaded & {
        "pydantic_settings",
        "dramatiq",
        "pika",
        "peewee",
        "apsw",
        "boto3",
        "PIL",
        "openai",
        "numpy",
        "gevent",
    }


def test_only_the_command_that_is_asked_for_is_made(invoke, monkeypatch):
    """To make them all takes longer than most of them run."""
    made, make = [], typer.main.get_command_from_info
    spy = lambda command_info, **options: made.append(command_info.name) or make(command_info, **options)  # noqa: E731
    monkeypatch.setattr(typer.main, "get_command_from_info", spy)

    assert invoke("monitor", "token", "list", "-h").exit_code == 0
    assert made == ["list"]


def test_without_a_command_it_shows_them_all(invoke):
    shown = invoke().output

    assert [path for path in ALL if path[0] not in shown] == []


def test_without_the_extra_it_says_which_one(command):
    code = "import sys; sys.modules['typer'] = None; from growbin_jobs.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip() == "The command line needs its extra: pip install 'growbin-jobs[cli]'"


@pytest.mark.parametrize("path", [(), ("dead",)], ids=" ".join)
def test_so_has_that_of_groups(invoke, path):
    done = invoke(*path, "-h")

    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert "bool" not in done.output
    assert invoke(*path, "--help").output == done.output


def test_the_version(invoke):
    assert invoke("--version").output == f"growbin-jobs {__version__}\n"
