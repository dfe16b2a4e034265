"""What goes wrong with models, money and limits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from staged_alerts.play import Play, Stage
from staged_alerts.site import CENTRAL, Site


def photos(number: int) -> Callable[[Site], None]:
    """Return what hands in so many photos."""
    return lambda site: site.hand_in(f"photos {number}")


def all_groups(folder: Path, env: Mapping[str, str] = {}) -> Site:
    """Start both groups, each on a node of its own, and a scheduler."""
    site = Site(folder, env)
    site.worker("storage")
    site.worker("ai")
    site.scheduler()
    return site


def _often(share: float, answer: str) -> Callable[[Site], None]:
    """Return what lets this share of the vision calls have that answer."""
    dice = random.Random(7)

    def stage(site: Site) -> None:
        site.models.mood = lambda kind, number: answer if kind == "vision" and dice.random() < share else "ok"

    return stage


def _server_fails(site: Site) -> None:
    site.models.mood = lambda kind, number: "500"


def key_is_withdrawn(site: Site) -> None:
    site.models.mood = lambda kind, number: "401"
    site.hand_in("photos 1")


FAILING_MODEL = Play(
    "failing-model",
    all_groups,
    (
        Stage("many vision calls fail", frozenset({"GrowbinModelFails"}), _often(0.4, "500"), photos(4)),
        Stage("some are too many", frozenset({"GrowbinModelRateLimited"}), _often(0.1, "429"), photos(6)),
        Stage("all of them fail", frozenset({"GrowbinBreakerOpen"}), _server_fails, photos(2)),
    ),
)  # fmt: skip


def _spent(site: Site) -> float:
    """Return what today's requests cost, in dollars."""
    days = json.loads(site.run("budgets", "list", "--json"))["days"]
    [total] = [each for each in days if each["name"] == "total"]
    return float(total["spent"]) / 1e6


def _budget_of(share: float) -> Callable[[Site], None]:
    """Return what sets the budget so that this share of it is spent."""

    def stage(site: Site) -> None:
        site.run("budgets", "set", "total", f"{_spent(site) / share:.6f}")

    return stage


def _limit(site: Site) -> None:
    """Send four minutes' work: it is granted evenly, so a minute passes until all of one is used."""
    site.run("budgets", "set", "total", "1000")
    site.hand_in("photos 32")


def _models_end(site: Site) -> None:
    """Let a look at the models have found that one ends within the week, and one in some weeks."""
    found = "INSERT INTO model_end (model, ends, offered, checked_at) VALUES (?, ?, 1, 0)"
    for model, days in (("old", 5), ("not so old", 40)):
        site.by_hand(CENTRAL, found, model, f"{datetime.now(UTC).date() + timedelta(days=days)}")


SPENT_MONEY = Play(
    "spent-money",
    lambda folder: all_groups(
        folder, {"GROWBIN_TEXT_MODEL": "stub-ok", "GROWBIN_VISION_LIMIT": "8", "GROWBIN_BUDGET_PER_DAY": "1000"}
    ),
    (
        Stage("models end", frozenset({"GrowbinModelEndsSoon", "GrowbinModelEnds"}), _models_end),
        Stage("a model has no price", frozenset({"GrowbinPriceUnknown"}), photos(1)),
        Stage("most of the budget is spent", frozenset({"GrowbinBudgetNearlySpent"}), _budget_of(0.9)),
        Stage("all of it is spent", frozenset({"GrowbinBudgetSpent"}), _budget_of(1.0)),
        Stage("the limit is used up", frozenset({"GrowbinLimitSaturated"}), _limit),
    ),
)

PLAYS = (FAILING_MODEL, SPENT_MONEY)
