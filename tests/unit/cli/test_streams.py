"""What is printed, on any terminal: other encodings, streams that are closed or full, texts that command terminals."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys

import pytest
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from tests.command_line import MAIN, run, start

from growbin_jobs.cli import app as main
from growbin_jobs.cli import streams
from growbin_jobs.cli.console import _Terminal, out, visible
from growbin_jobs.samples import sample_pictures

PHOTO = sample_pictures()[0]
HOSTILE = "a[/b]\x1b[31m\x9b2J\x07\r\t\u202egpj\u2066\u2028\udcff:smile:[link=x]"


def shell(command, environment, **variables):
    """Run a shell command in which ``$MAIN`` is ``growbin-jobs``."""
    quoted = f"{MAIN[0]} -c '{MAIN[2]}'"
    return subprocess.run(
        ["bash", "-c", command.replace("$MAIN", quoted)],
        env=environment | variables,
        capture_output=True,
        check=False,
        timeout=100,
    )


def shown(renderable):
    with out.capture() as capture:
        out.print(renderable)
    return capture.get()


def is_harmless(text):
    return all(character == "\n" or (character.isprintable() and character != "\u202e") for character in text)


@pytest.mark.parametrize(
    "renderable",
    [
        HOSTILE,
        Text(HOSTILE, "red"),
        Panel(Text(HOSTILE), title=Text(HOSTILE), subtitle=Text(HOSTILE)),
        Group(HOSTILE, Text.assemble(("x", "bold"), HOSTILE)),
    ],
    ids=["str", "Text", "Panel", "Group"],
)
def test_data_is_shown_as_data_in_whatever_it_stands(renderable):
    text = shown(renderable)

    assert is_harmless(text)
    assert "[/b]" in text.replace("\n", "")
    assert "\\x1b" in text.replace("\n", "")
    assert "\\u202e" in text.replace("\n", "").replace("│", "").replace(" ", "")


def test_cells_and_titles_of_tables_are_data_too():
    table = Table("a", title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))

    text = shown(table)

    assert is_harmless(text)
    assert text.count("[/b]") == 4


@pytest.mark.parametrize(
    "code", [*range(32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x202A, 0x2069, 0xFEFF, 0xD800, 0xDFFF]
)
def test_no_control_character_reaches_a_terminal(code):
    text = visible(Text(f"a{chr(code)}b")).plain

    assert is_harmless(text)
    assert text.startswith("a")
    assert text.endswith("b")


def test_styles_survive():
    text = visible(Text.assemble(("a\x1b", "red"), ("b", "bold")))

    assert text.plain == "a\\x1bb"
    assert [(span.start, span.end, str(span.style)) for span in text.spans if span.start < span.end][-1] == (
        5,
        6,
        "bold",
    )
    assert _Terminal().is_terminal is False


@pytest.mark.parametrize(
    ("encoding", "language"),
    [("euc-kr", "ko"), ("ascii", "ko"), pytest.param("latin-1", "en", marks=pytest.mark.before_release)],
)
def test_doctor_is_readable_in_every_encoding(environment, encoding, language):
    done = shell("$MAIN doctor", environment, PYTHONIOENCODING=encoding, GROWBIN_LANGUAGE=language)

    said = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\\u" not in shell("$MAIN budgets list", environment, PYTHONIOENCODING=encoding).stdout.decode(encoding)
    assert " ok " in said
    assert "data folder" in said


@pytest.mark.parametrize(("text", "is_said"), [("유리병", True), ("✔ … → glass", False), ("glass", False)])
def test_escapes_are_explained_once_and_only_those(monkeypatch, text, is_said):
    written, said = io.BytesIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", said)
    streams.prepare()
    monkeypatch.setattr(main, "app", lambda: [out.print(text), out.print(text)])

    main._run()

    assert written.getvalue().isascii()
    assert (said.getvalue().count("PYTHONIOENCODING=utf-8"), b"\\u" in written.getvalue()) == (is_said, is_said)


@pytest.mark.parametrize("encoding", ["euc-kr", "ascii", "utf-8"])
def test_json_of_any_photo_is_whole_in_every_encoding(environment, tmp_path, encoding):
    names = ["사진.jpg", "żółw.jpg", "a\x1b[31m\u202e.jpg", os.fsdecode(b"\xff\xfe.jpg")]
    for name in names:
        (tmp_path / name).write_bytes(PHOTO.read_bytes())

    done = run(
        *("analyze", "--json", "--no-wait"), *(tmp_path / name for name in names),
        env=environment | ({} if encoding == "utf-8" else {"PYTHONIOENCODING": encoding}),
    )  # fmt: skip

    found = [json.loads(line) for line in done.stdout.decode(encoding).splitlines()]
    assert done.returncode == 0, done.stderr
    assert [one["photo"] for one in found] == [str(tmp_path / name) for name in names]
    assert is_harmless(done.stdout.decode(encoding))


@pytest.mark.parametrize("words", ["settings --json", "rules check", "--version"])
def test_a_full_stdout_is_a_sentence(environment, words):
    with open("/dev/full", "w") as full:
        done = start(*words.split(), env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
        _, said = done.communicate(timeout=100)

    assert done.returncode == 74
    assert said == "error: stdout cannot be written: No space left on device.\n"


@pytest.mark.parametrize("command", ["settings --json", "--help"])
def test_a_closed_stdout_is_a_sentence(environment, command):
    done = shell(f"$MAIN {command} >&-", environment)

    assert done.returncode == 74
    assert done.stderr.decode().splitlines() == ["error: stdout cannot be written: it is closed."]


@pytest.mark.parametrize("words", ["settings", "rules check --json"])
def test_a_reader_that_has_gone_ends_a_command_in_silence(environment, words):
    read, write = os.pipe()
    os.close(read)
    try:
        done = start(*words.split(), env=environment, stdout=write, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(write)
    _, said = done.communicate(timeout=100)

    assert (done.returncode, said) == (1, "")


def test_closed_streams_are_no_files_of_the_program(environment, command):
    """A database that gets the number of a closed stderr would be written to by every warning."""
    done = shell(f"$MAIN analyze --no-wait {PHOTO} 2>&- <&-", environment)
    analysis_id = done.stdout.decode().strip()

    assert json.loads(command("status", "--json", analysis_id).stdout)["status"] == "pending"


@pytest.mark.parametrize(
    ("options", "target"),
    [(["--no-wait"], "/dev/full"), (["--timeout", "1"], "/dev/full"), (["--no-wait"], "closed")],
)
def test_the_id_of_a_photo_is_told_though_stdout_cannot_be_written(environment, command, options, target):
    words = ["analyze", "--json", *options, str(PHOTO)]
    if target == "closed":
        done = shell(f"$MAIN {shlex.join(words)} >&-", environment)
        code, said = done.returncode, done.stderr.decode()
    else:
        with open(target, "w") as full:
            started = start(*words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
            _, said = started.communicate(timeout=100)
        code = started.returncode

    *_, kept, error = said.splitlines()
    analysis_id = kept.split()[-1]
    assert code == 74
    assert error.startswith("error: stdout cannot be written")
    assert json.loads(command("status", "--json", analysis_id).stdout)["id"] == analysis_id


def test_a_supervisor_does_not_wait_for_whoever_should_read_its_words(environment):
    said = """
import os
from growbin_jobs.cli import supervised
os.set_blocking(2, False)
try:
    while os.write(2, b"x" * 4096): pass
except BlockingIOError:
    os.set_blocking(2, True)
supervised._say("Stopping.")
os._exit(7)
"""
    unread, full = os.pipe()
    try:
        done = subprocess.run([sys.executable, "-c", said], env=environment, stderr=full, check=False, timeout=60)
    finally:
        os.close(unread)
        os.close(full)
    assert done.returncode == 7


INTERRUPTED = """
import importlib.abc, os, signal, sys

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
exec(sys.argv[2])
"""
STARTS = {
    "growbin_jobs.cli.app": "from growbin_jobs.cli import main; main()",
    "growbin_jobs.scheduler.process": "import runpy; runpy.run_module('growbin_jobs.scheduler', run_name='__main__')",
    "growbin_jobs.cli.console": "import runpy; runpy.run_module('growbin_jobs.monitor', run_name='__main__')",
    "growbin_jobs.engine.keeper.__main__": "import runpy; runpy.run_module('growbin_jobs.keeper', run_name='__main__')",
}


@pytest.mark.parametrize("module", STARTS)
def test_an_interrupt_amid_the_imports_is_no_traceback(environment, module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, STARTS[module]],
        env=environment,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
