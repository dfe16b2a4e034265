"""``python answer_holder.py URL FOLDER``: a node that asks a model and never comes to an end, to be killed."""

import sys
import threading
from pathlib import Path
from typing import Any

from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.questions import Question
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.messages import Advice
from growbin_jobs.models.answers import SharedAnswers

QUESTION = Question("key", "text-1/abc", "m")


def opened(url: str | None, folder: Path) -> Database:
    return open_database(url, default_path=folder / "central.db", pool_size=16, timeout=30)


def node(database: Database, **options: Any) -> Answers[Advice]:
    """One node's path to answers, with no store of its own."""
    return Answers(Advice, None, patience=60, shared=SharedAnswers(database, ttl=3600, **options))


def hang() -> Advice:
    print("it holds", flush=True)
    threading.Event().wait()
    raise AssertionError


if __name__ == "__main__":
    node(opened(sys.argv[1] or None, Path(sys.argv[2])), lease=2).get(QUESTION, hang)
