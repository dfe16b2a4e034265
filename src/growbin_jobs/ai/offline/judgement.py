"""Turns scores into an answer: first the category, then the item, and how sure it is.

The limits below were chosen on TrashNet's held-out photos and on pictures of sources that the head has not learnt
from; ``docs/offline-classifier.md`` shows what each of them costs and brings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from growbin_jobs.ai.offline.labels import CATEGORY_OF, GENERIC_ITEM, NAMED_BY_IMAGENET
from growbin_jobs.messages import GENERAL_ITEM, Category, VisionAnswer

#: Raise it whenever this module would answer differently than before.
VERSION: Final = 2

#: The head is as sure as it should be on photos like those it learnt from, and too sure on all others. With good
#: grounds for an answer, the confidence is this part of its probability…
SURE_SHARE: Final = 0.8
#: …and without them this part, so that it stays below 0.75: those may be wrong more often than once in twenty.
UNSURE_SHARE: Final = 0.74
#: Of the answer "I do not know this".
UNKNOWN_CONFIDENCE: Final = 0.3

#: About nine in ten held-out training photos are nearer: up to here the confidence is not reduced…
NEAR: Final = 1.5
#: …and here, where no held-out photo is, nothing is recognised any more.
FAR: Final = 4.0
#: Below this probability of all waste-like ImageNet classes, a picture that is not near shows something else.
LEAST_WASTE_LIKE: Final = 0.1
#: A category less probable than this is a guess; on held-out photos three of four such guesses were wrong.
LEAST_PROBABILITY: Final = 0.4


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an answer needs for a confidence of 0.75 and more.

    Attributes:
      probability: Of the category, at least.
      distance: At most.
      waste_like: Probability of the waste-like ImageNet classes: at least; for ``general`` at most.
    """

    probability: float
    distance: float
    waste_like: float


#: With these no picture of any source but TrashNet got a wrong answer of such confidence. Each category errs in its
#: own way: wood and fibreboard look like cardboard, cans like bottles, tubs of plastic like tins.
GROUNDS: Final[dict[Category, Grounds]] = {
    "general": Grounds(probability=0.98, distance=2.0, waste_like=0.02),
    "glass": Grounds(probability=0.995, distance=1.5, waste_like=0.3),
    "metal": Grounds(probability=0.98, distance=1.5, waste_like=0.4),
    "paper": Grounds(probability=0.998, distance=1.1, waste_like=0.5),
    "plastic": Grounds(probability=0.98, distance=1.1, waste_like=0.3),
}

#: Part of its category's probability that an item needs; otherwise the category's generic item is the answer.
LEAST_ITEM_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen, and what was made of it.

    Attributes:
      items: Probability of each of the head's items.
      distance: From the photos that the head learnt from; about 1 for photos like them.
      imagenet: Probability of each of ImageNet's classes that is at all likely, the highest first.
      waste_like: Probability of all waste-like ImageNet classes together.
    """

    items: Mapping[str, float]
    distance: float
    imagenet: Mapping[int, float]
    waste_like: float


def judge(sight: Sight) -> VisionAnswer:
    """Make the answer."""
    categories: dict[Category, float] = {}
    for item, probability in sight.items.items():
        categories[CATEGORY_OF[item]] = categories.get(CATEGORY_OF[item], 0.0) + probability
    category = max(categories, key=lambda name: categories[name])
    probability = min(categories[category], 1.0)
    item = _item(sight, category, probability)
    if _has_good_grounds(sight, category, probability):
        return _answer(category, item, probability * SURE_SHARE)
    if _unknown(sight, probability):
        return _answer("general", GENERAL_ITEM, UNKNOWN_CONFIDENCE)
    return _answer(category, item, probability * UNSURE_SHARE * _nearness(sight))


def _has_good_grounds(sight: Sight, category: Category, probability: float) -> bool:
    grounds = GROUNDS[category]
    shown = sight.waste_like <= grounds.waste_like if category == "general" else sight.waste_like >= grounds.waste_like
    return shown and probability >= grounds.probability and sight.distance <= grounds.distance


def _unknown(sight: Sight, probability: float) -> bool:
    something_else = sight.waste_like < LEAST_WASTE_LIKE and sight.distance > NEAR
    return something_else or sight.distance > FAR or probability < LEAST_PROBABILITY


def _item(sight: Sight, category: Category, probability: float) -> str:
    for item, (index, enough) in NAMED_BY_IMAGENET.items():
        if CATEGORY_OF[item] == category and sight.imagenet.get(index, 0.0) >= enough:
            return item
    item = max((item for item in sight.items if CATEGORY_OF[item] == category), key=lambda item: sight.items[item])
    return item if sight.items[item] >= LEAST_ITEM_SHARE * probability else GENERIC_ITEM[category]


def _nearness(sight: Sight) -> float:
    """Return 1 for pictures like those that the head was trained with, down to a half for the most different."""
    return 1.0 - 0.5 * min(max((sight.distance - NEAR) / (FAR - NEAR), 0.0), 1.0)


def _answer(category: Category, item: str, confidence: float) -> VisionAnswer:
    # No weights that we know of tell clean from dirty: "mixed" stands for "cannot tell".
    return VisionAnswer(category=category, item=item, state="mixed", confidence=round(confidence, 3))
