"""The keeper's candidate as dramatiq forks it: found by its name alone, in a process that has loaded nothing else.

dramatiq imports what it forks a process for by a path. If that were a method of the engine, the process would load the
whole application, for half a second, and then be replaced by a fresh Python that loads it again. So the path holds
what the candidate must know: where the engine is, and the node's folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote

from growbin_jobs.engine.node.keeper_command import keeper_command

#: What argparse exits with when it does not understand a command line.
ARGPARSE_ERROR = 2


class Candidate:
    """What dramatiq forks a process for. It takes the path from the two names, and calls what it finds there.

    Parameters:
      source: Import string of the engine.
      folder: The node's folder.
    """

    def __init__(self, source: str, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self.__module__ = __name__
        self.__name__ = f"keeper.{_word(source)}.{_word(str(folder))}"

    def __call__(self) -> int:
        raise NotImplementedError("dramatiq finds it by its name")


class _Named:
    """Takes the words after its own name as attributes."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def __getattr__(self, word: str) -> _Named:
        return _Named(*self._words, unquote(word, errors="surrogateescape"))

    def __call__(self) -> NoReturn:
        source, folder = self._words
        become_keeper(source, Path(folder))


#: Where the paths of candidates begin.
keeper = _Named()


def become_keeper(source: str, folder: Path) -> NoReturn:
    """Replace this process, forked by dramatiq, with a candidate for the keeper: a fresh Python, without gevent.

    Parameters:
      source: Import string of the engine.
      folder: The node's folder.
    """
    command = keeper_command(source, folder, os.getppid(), log_file=log_file())
    os.execv(command[0], command)  # noqa: S606 our own module


def log_file() -> str | None:
    """Return the file that dramatiq was told to write its log to.

    Its processes log through pipes that nobody reads any more when the workers are gone, and the keeper's last words
    come after that. So it appends to the file itself.
    """
    from dramatiq.cli import make_argument_parser

    try:
        given, _ = make_argument_parser().parse_known_args()  # type: ignore[no-untyped-call]
    except SystemExit as exit_:
        if exit_.code != ARGPARSE_ERROR:  # dramatiq tells this process to stop, at this very moment
            raise
        return None  # no dramatiq's command line
    return str(given.log_file) if given.log_file else None


def _word(text: str) -> str:
    """Return a text without what separates words and paths."""
    return quote(os.fsencode(text), safe="/:").replace(".", "%2E")
