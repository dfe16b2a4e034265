"""A demo talks to nobody and leaves nothing: every library that we load is watched, in every process.

Two watchers: an audit hook in each Python process, and strace, which also sees what native code does (onnxruntime 1.31
sends telemetry and writes a device id). Where strace may not trace, the folders that a library writes to (the home
folder, the temporary one) are looked at afterwards all the same.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from growbin_jobs.samples import sample_pictures

#: Loaded by Python at its start, as it is on the path.
AUDIT = """
import os, re, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ADDRESS = re.compile(r"[0-9.]+|[0-9a-f.]*:[0-9a-f:.]*")

def note(event, arguments):
    if event == "socket.getaddrinfo" and isinstance(arguments[0], str) and ADDRESS.fullmatch(arguments[0]):
        return  # no name: it is read, and nobody is asked
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        found = f"looks up {arguments[0]!r}"
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        found = f"connects to {arguments[1]!r}"
    elif event == "open" and isinstance(arguments[0], str) and arguments[2] & WRITES:
        found = f"writes {os.path.abspath(arguments[0])}"
    elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink"):
        found = f"writes {os.path.abspath(os.fsdecode(arguments[0]))}"
    else:
        return
    with_log(found)

def with_log(found):
    if LOG not in found:
        os.write(descriptor, f"{found}\\n".encode())

LOG = os.environ["WATCH_LOG"]
descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
sys.addaudithook(note)
"""

CALLS = (
    "connect,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat"
)
STRACE = ["strace", "-ff", "-qq", "-y", "--seccomp-bpf", "-e", "signal=none", "-e", f"trace={CALLS}"]

#: What glibc reads to resolve a name, and whom it asks.
LOOKUP = re.compile(r"/etc/resolv\.conf|/etc/hosts\b|nscd/socket|sa_family=AF_INET6?")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')

#: No files: devices, and what the kernel shows.
NO_FILES = ("/dev/", "/proc/", "/sys/")


class Watched:
    """Runs a command under both watchers.

    Parameters:
      folder: For the watchers' notes and for the folders that the command is told to use.
    """

    def __init__(self, folder):
        self.notes, self.home, self.temporary = (folder / name for name in ("notes", "home", "tmp"))
        for each in (self.notes, self.home, self.temporary):
            each.mkdir()
        (self.notes / "sitecustomize.py").write_text(AUDIT)

    def run(self, *command, **environment):
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        told = {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.notes),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH_LOG": str(self.notes / "audit"),
        }
        tracer = [*STRACE, "-o", str(self.notes / "trace")] if traces(self.notes) else []
        return subprocess.run(
            [*tracer, *map(str, command)], env=kept | told | environment, capture_output=True, text=True, timeout=110
        )

    def findings(self, allowed):
        """Return what was looked up, connected to or written, but for files below the allowed folders."""
        allowed = [*allowed, self.notes]
        audited = (self.notes / "audit").read_text().splitlines()
        traced = [line for file in self.notes.glob("trace.*") for line in file.read_text(errors="replace").splitlines()]
        found = [line for line in audited if not line.startswith("writes ") or outside(line[7:], allowed)]
        return sorted({*found, *(line for line in traced if is_finding(line, allowed))})

    def left(self):
        return sorted(str(path) for folder in (self.home, self.temporary) for path in folder.rglob("*"))


def traces(folder):
    """Return True where strace is installed and may trace."""
    return (
        shutil.which("strace") is not None
        and not subprocess.run([*STRACE, "-o", str(folder / "probe"), "true"], capture_output=True).returncode
    )


def outside(path, allowed):
    return not path.startswith((*NO_FILES, *map(str, allowed)))


def is_finding(line, allowed):
    """Judge one line of strace: a name that is looked up, a connection, a file that is opened for writing or made."""
    if line.endswith("?") or " = -1 " in line:
        return bool(re.search(r"AF_INET6?", line))
    if LOOKUP.search(line):
        return True
    call = line.partition("(")[0]
    if call in ("connect", "sendto", "sendmsg", "sendmmsg"):
        return False
    if call in ("open", "openat") and not re.search("O_WRONLY|O_RDWR|O_CREAT", line):
        return False
    path = PATH.search(line)
    # A path below a folder that was opened before: strace -y names the folder.
    below = re.search(r"\(\d+<([^>]*)>", line) if path and not path[1].startswith("/") else None
    return path is not None and outside(f"{below[1]}/{path[1]}" if below else os.path.abspath(path[1]), allowed)


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_a_demo_looks_up_no_name_and_writes_no_file_outside_its_folder(watched):
    command = Path(sys.executable).with_name("growbin-jobs")

    done = watched.run(command, "demo", "--json", sample_pictures()[0])

    assert (done.returncode, done.stdout.count('"completed"')) == (0, 1), done.stderr
    # The demo's own folder is a temporary one; what else is written beside it must be gone again.
    assert watched.findings(allowed=[watched.temporary]) == []
    assert watched.left() == []


EVERYTHING = """
import pkgutil, importlib, growbin_jobs
for module in pkgutil.walk_packages(growbin_jobs.__path__, "growbin_jobs."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import pillow_heif
from growbin_jobs.ai.offline.classifier import OfflineClassifier
OfflineClassifier.load("onnxruntime")
from growbin_jobs.adapters.llm.client import ModelClient
ModelClient(api_key="none", base_url="http://127.0.0.1:9/v1").warm_up()
from growbin_jobs.adapters.objects.s3 import S3Store
S3Store("bucket", endpoint_url="http://127.0.0.1:9")
"""


def test_no_library_of_a_worker_looks_up_a_name_or_writes_a_file(watched):
    done = watched.run(sys.executable, "-c", EVERYTHING, GROWBIN_DATA_DIR=str(watched.home / "data"))

    assert done.returncode == 0, done.stderr
    assert watched.findings(allowed=[]) == []
    assert watched.left() == []


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("import socket; socket.getaddrinfo('localhost', 80)", "looks up 'localhost'"),
        ("import socket; socket.gethostbyaddr('127.0.0.1')", "looks up '127.0.0.1'"),
        ("open('{home}/note', 'w')", "note"),
        ("import os; os.mkdir('{home}/folder')", "folder"),
        ("import ctypes; ctypes.CDLL(None).creat(b'{home}/native', 0o600)", "native"),
    ],
)
def test_the_watchers_see_it(watched, code, named):
    watched.run(sys.executable, "-c", code.format(home=watched.home))

    assert named in " ".join(watched.findings(allowed=[]) + watched.left())
