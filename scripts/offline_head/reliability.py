"""How often the classifier is wrong, by source and by the confidence that it states."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from scipy.special import betaincinv  # the quantiles of scipy.stats, which takes a second to import

from growbin_jobs.ai.offline.judgement import Sight, judge
from growbin_jobs.ai.offline.labels import CATEGORY_OF, GENERIC_ITEM
from growbin_jobs.messages import Category

#: Edges of the bins of confidence.
STEPS: Final = (0.0, 0.35, 0.5, 0.65, 0.75, 0.801)
#: From here on an answer counts as sure…
SURE: Final = 0.75
#: …and of the sure answers of a source not more than this part may be wrong.
WRONG_OF_SURE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """What a head that has not learnt from the picture's source saw in it, and what is right."""

    source: str
    category: Category
    sight: Sight


def table(seen: Sequence[Seen]) -> dict[str, dict[str, Any]]:
    """Return, by source: photos, share right, what it is sure of, and photos and wrong answers by confidence."""
    found: dict[str, dict[str, Any]] = {}
    for source in dict.fromkeys(one.source for one in seen):
        answers = [(judge(one.sight), one.category) for one in seen if one.source == source]
        wrong = [answer.category != category for answer, category in answers]
        sure = [bad for bad, (answer, _) in zip(wrong, answers, strict=True) if answer.confidence >= SURE]
        found[source] = {
            "photos": len(answers),
            "right": round(1 - sum(wrong) / len(wrong), 4),
            "sure": len(sure),
            "sure_and_wrong": sum(sure),
            "sure_and_wrong_at_most": at_most(sum(sure), len(sure)),
            "by_confidence": {
                f"{low:.2f}-{min(high, 0.8):.2f}": [
                    sum(low <= answer.confidence < high for answer, _ in answers),
                    sum(
                        bad for bad, (answer, _) in zip(wrong, answers, strict=True) if low <= answer.confidence < high
                    ),
                ]
                for low, high in pairwise(STEPS)
            },
        }
    return found


def at_most(wrong: int, answers: int) -> float:
    """Return the share of wrong answers that is not exceeded with 95 % certainty (Clopper and Pearson), 1 of none."""
    return 1.0 if wrong == answers else round(float(betaincinv(wrong + 1, answers - wrong, 0.95)), 3)


_CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)


def save(seen: Sequence[Seen], path: Path) -> None:
    """Write what a judgement of the category and its confidence depends on, small enough to be kept in the project."""
    sources = list(dict.fromkeys(one.source for one in seen))
    np.savez_compressed(
        path,
        sources=np.array(sources),
        source=np.array([sources.index(one.source) for one in seen], np.uint8),
        category=np.array([_CATEGORIES.index(one.category) for one in seen], np.uint8),
        probabilities=np.array([_sums(one.sight) for one in seen], np.float16),
        distance=np.array([min(one.sight.distance, 100.0) for one in seen], np.float16),
        waste_like=np.array([one.sight.waste_like for one in seen], np.float16),
    )


def load(path: Path) -> list[Seen]:
    """Return what :func:`save` has written; all of a category's probability is its generic item's."""
    with np.load(path, allow_pickle=False) as file:
        columns = [file[name].tolist() for name in ("source", "category", "probabilities", "distance", "waste_like")]
        sources = file["sources"].tolist()
    return [
        Seen(
            sources[source],
            _CATEGORIES[category],
            Sight(
                {GENERIC_ITEM[name]: value for name, value in zip(_CATEGORIES, sums, strict=True)}, far, {}, waste_like
            ),
        )
        for source, category, sums, far, waste_like in zip(*columns, strict=True)
    ]


def _sums(sight: Sight) -> list[float]:
    return [
        sum(value for item, value in sight.items.items() if CATEGORY_OF[item] == category) for category in _CATEGORIES
    ]
