"""One node that asks in batches, with the stand-in for OpenAI behind it: what tests of batches do to it."""

from __future__ import annotations

import importlib.util
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import growbin_jobs
from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.batch_desk import BatchDesk
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.ai.batch_work import BatchWork, batch_work
from growbin_jobs.ai.batching import AskedInBatch, putting_down
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import CachedTextModel, OnlineText
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.budget_guard import budget_guard
from growbin_jobs.limits.budget_report import budget_days, imbalances
from growbin_jobs.limits.budgets import TOTAL
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.messages import Advice, Rule, VisionAnswer
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_questions import BatchQuestions
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_waiting import BatchWaiting
from growbin_jobs.models.batches import Batches
from growbin_jobs.models.made_batches import MadeBatches
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.settings import Settings, load

KEY = "sk-canary-0123456789"
MODEL = "gpt-5"
ITEMS = [KnownItem("general", "기타", "other"), KnownItem("pet_bottle", "페트병", "PET bottle")]
RULE = Path(growbin_jobs.__file__).parent / "rules" / "pet_bottle.json"


def stub_module() -> Any:
    """Return the module of the stand-in, which tests run as a program too."""
    path = Path(__file__).parents[1] / "stubs" / "openai_server.py"
    if "openai_server" not in sys.modules:
        spec = importlib.util.spec_from_file_location("openai_server", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["openai_server"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["openai_server"])
    return sys.modules["openai_server"]


def picture(number: int) -> bytes:
    return b"\xff\xd8\xff\xe0" + number.to_bytes(4, "big") + b"picture" * 100


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(point: str | None, times: int = 1) -> Iterator[None]:
    """Let the work on batches end at a crash point as if its process were killed there."""
    from growbin_jobs.ai import batch_looking_after, batch_making, batch_reading

    left = times

    def crashpoint(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                raise Killed

    modules: list[Any] = [batch_making, batch_reading, batch_looking_after]
    real = batch_making.crashpoint
    for module in modules:
        module.crashpoint = crashpoint
    try:
        yield
    finally:
        for module in modules:
            module.crashpoint = real


@dataclass
class World:
    """See the module. ``sent`` are the messages that were sent again and have not run."""

    database: Database
    stub: Any
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {"node": "n1", "data_dir": self.folder, "openai_api_key": KEY, "openai_base_url": self.stub.url}
        self.settings: Settings = load(**(own | {"batch_gather": 0.0, "budget_per_day": 1.0} | self.options))
        self.ledger = UsageLedger(
            self.database, load_prices(), node="n1", zone=ZoneInfo("Asia/Seoul"), folder=self.folder / "usage"
        )
        self.questions, self.batches = BatchQuestions(self.database), Batches(self.database)
        self.made_batches = MadeBatches(self.database)
        self.waiting = BatchWaiting(self.database)
        self.analyses = Analyses(self.database)
        self.taken: set[str] = set()
        self._build()

    def _build(self) -> None:
        """Make what a process has; a process that was killed comes back with nothing else."""
        memory = ServerFacts(self.database)
        guard = budget_guard(self.settings, self.database)
        self.client = ModelClient(
            api_key=KEY, base_url=self.stub.url, meter=self.ledger, guards=(guard,), memory=memory, server="openai"
        )
        call = Call(MODEL, 5.0, 1000, reasoning_effort="minimal", purpose="vision")
        seen = OnlineVision(self.client, call=call, items=ITEMS)
        text = OnlineText(self.client, call=Call(MODEL, 5.0, 800, purpose="text"))
        shared = SharedAnswers(self.database, ttl=3600)
        self.vision = Vision(seen, Answers(VisionAnswer, None, patience=5, shared=shared))
        self.text = CachedTextModel(
            text, Answers(Advice, None, patience=5, shared=shared), model=MODEL, fingerprint=text.fingerprint
        )
        self.desk = BatchDesk(self.questions, self.client.in_batches.are_offered)
        bare = ModelClient(api_key=KEY, base_url=self.stub.url, memory=memory, server="openai")
        requests = BatchRequests(
            OnlineVision(bare, call=call, items=ITEMS),
            OnlineText(bare, call=Call(MODEL, 5.0, 800, purpose="text")),
            lambda path: picture(int(path.rpartition("/")[2])),
        )
        self.work: BatchWork = batch_work(self.settings, self.database, bare, requests)

    # --- messages

    def ask(self, number: int, *, user: str = "u1", tier: str | None = "batch", message_id: str | None = None) -> Any:
        """Run stage 2 for a picture; None: the question is put down."""
        analysis = f"a{number}-{user}"
        self.analyses.accept(analysis, user)
        message = {
            "queue_name": "vision_analysis_bulk", "actor_name": "analyze_image",
            "args": [analysis, f"s3://bucket/{number}"], "kwargs": {}, "message_timestamp": 1,
            "message_id": message_id or str(uuid.uuid4()),
            "options": {} if tier is None else {"service_tier": tier, "retries": 0},
        }  # fmt: skip
        return self.run(message, user)

    def run(self, message: dict[str, Any], user: str = "u1") -> Any:
        analysis, path = message["args"]
        put = self.desk.for_message(message, "vision", {"s3_path": path})
        with attributed(Attribution(analysis, user, message["message_id"], 1)), putting_down(put):
            try:
                return self.vision.answer(picture(int(path.rpartition("/")[2])))
            except AskedInBatch:
                return None

    def compose(self, seen: VisionAnswer, language: Any, message_id: str) -> Advice | None:
        """Run stage 4; None: the question is put down."""
        rule = json.loads(RULE.read_text())
        asks = {"rule": rule, "vision": seen.model_dump(), "language": language}
        message = {
            "queue_name": "response_generation", "actor_name": "generate_response", "args": ["a"], "kwargs": {},
            "message_id": message_id, "options": {"service_tier": "batch"},
        }  # fmt: skip
        with putting_down(self.desk.for_message(message, "text", asks)):
            try:
                return self.text.compose(Rule.model_validate(rule), seen, language)
            except AskedInBatch:
                return None

    def sent_again(self) -> list[dict[str, Any]]:
        """Take the messages that were sent again since the last time."""
        sql = "SELECT task_id, body FROM task_reruns ORDER BY at, task_id"
        rows = self.database.run(lambda one: list(one.execute_sql(sql)))
        new = [json.loads(bytes(body)) for task_id, body in rows if task_id not in self.taken]
        self.taken |= {message["message_id"] for message in new}
        return new

    # --- jobs

    def make(self, *, killed: str | None = None, times: int = 1) -> None:
        self._job(self.work.making, killed, times)

    def look(self, *, killed: str | None = None, times: int = 1) -> None:
        self._job(self.work.looking_after, killed, times)

    def _job(self, job: Any, killed: str | None, times: int) -> None:
        with killed_at(killed, times):
            try:
                job.run_once()
            except Killed:
                self._build()

    def pass_time(self) -> None:
        """Let all leases and pauses end."""
        self.database.run(lambda one: one.execute_sql("UPDATE model_batch SET leased_until = 0, next_at = 0"))

    def batch(self) -> Batch:
        [batch] = self.made_batches.all()
        return batch

    # --- the books

    def usage(self, tier: str = "batch") -> list[dict[str, Any]]:
        assert self.ledger.flush()
        rows = self.database.rows(LlmUsage.select().order_by(LlmUsage.sent_at, LlmUsage.id))
        return [row for row in rows if (row["tier_asked"] or "standard") == tier]

    def money(self) -> tuple[int, int, int, int]:
        """Return what is reserved, settled, released and unknown today in the budget of all; all of it adds up."""
        afterwards.wait()  # what live requests have left to be booked
        today = datetime.now(ZoneInfo("Asia/Seoul")).date()
        assert imbalances(self.database, today) == []
        [one] = [one for one in budget_days(self.database, today) if one.name == TOTAL]
        return one.reserved, one.settled, one.released, one.unknown

    def settings_day(self) -> date:
        return datetime.now(ZoneInfo(self.settings.timezone)).date()

    def tier_of(self, number: int, user: str = "u1") -> tuple[str | None, str | None]:
        found = self.analyses.get(f"a{number}-{user}")
        assert found is not None
        return found.tier, found.tier_reason
