"""How good the classifier is on photos that its head has not seen: the answers of the real code, counted."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from growbin_jobs.ai.offline.judgement import Sight, judge
from growbin_jobs.ai.offline.labels import CATEGORY_OF
from offline_head.photos import Photo


def measure(photos: Sequence[Photo], sights: Sequence[Sight]) -> dict[str, Any]:
    """Return the figures of TrashNet's photos, each seen by a head that was fitted without its block."""
    answers = [judge(sight) for sight in sights]
    truth = [CATEGORY_OF[photo.item] for photo in photos]
    right = [answer.category == category for answer, category in zip(answers, truth, strict=True)]
    confusion = Counter((category, answer.category) for answer, category in zip(answers, truth, strict=True))
    categories = sorted(set(truth))
    return {
        "categories": _share(right),
        "categories_of_the_head_alone": _share(
            [_category_of_the_head(sight) == category for sight, category in zip(sights, truth, strict=True)]
        ),
        "items": _share([answer.item == photo.item for answer, photo in zip(answers, photos, strict=True)]),
        "confusion": {row: {column: confusion[row, column] for column in categories} for row in categories},
        "recall_of_classes": _recall([photo.label for photo in photos], right),
        "recall_of_items": _recall(
            [photo.item for photo in photos],
            [answer.item == photo.item for answer, photo in zip(answers, photos, strict=True)],
        ),
        "distance_quantiles": dict(
            zip(
                ("0.5", "0.95", "0.99", "1"),
                np.quantile([sight.distance for sight in sights], (0.5, 0.95, 0.99, 1)).round(2).tolist(),
                strict=True,
            )
        ),
    }


def _category_of_the_head(sight: Sight) -> str:
    sums: dict[str, float] = defaultdict(float)
    for item, probability in sight.items.items():
        sums[CATEGORY_OF[item]] += probability
    return max(sums, key=lambda category: sums[category])


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)


def _recall(names: Sequence[str], right: Sequence[bool]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "photos": names.count(name),
            "right": _share([good for other, good in zip(names, right, strict=True) if other == name]),
        }
        for name in sorted(set(names))
    }
