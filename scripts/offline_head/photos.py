"""The training photos: where they are, which item each shows, and which belong together."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from growbin_jobs.adapters.pictures import shrink
from growbin_jobs.ai.offline import preprocessing

#: Neighbouring numbers in TrashNet are often the same object from another side: they stay on one side of a split.
BLOCK = 12
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo: its file, its number in the data set's class, the class, and the item that it shows."""

    path: Path
    number: int
    label: str
    item: str

    @property
    def block(self) -> tuple[str, int]:
        """The group that a split keeps together."""
        return self.label, self.number // BLOCK

    @property
    def name(self) -> str:
        """Its name in the data set."""
        return self.path.stem

    def image(self) -> Image.Image:
        """Return it as the AI group gets it."""
        return preprocessing.decode(shrink(self.path.read_bytes()))


def find_photos(folder: Path) -> list[Photo]:
    """Return all photos below a folder of ``{category}/{class}/{class}{number}.jpg``, in a fixed order."""
    items = _items_by_number()
    found = []
    for path in sorted(folder.glob("*/*/*.jpg")):
        match = re.fullmatch(r"([a-z]+)(\d+)", path.stem)
        if match and match[1] in items:
            label, number = match[1], int(match[2])
            found.append(Photo(path, number, label, items[label].get(number, items[label][-1])))
    if not found:
        raise SystemExit(f"No TrashNet photos in {folder}. Name their folder with --photos.")
    return found


def assign_folds(photos: Iterable[Photo], seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each photo: blocks are dealt out at random, class by class, so that folds are alike."""
    photos = list(photos)
    order = np.random.default_rng(seed)
    fold_of: dict[tuple[str, int], int] = {}
    for label in sorted({photo.label for photo in photos}):
        blocks = sorted({photo.block for photo in photos if photo.label == label})
        fold_of |= {blocks[index]: place % FOLDS for place, index in enumerate(order.permutation(len(blocks)))}
    return np.array([fold_of[photo.block] for photo in photos])


def _items_by_number() -> dict[str, dict[int, str]]:
    """Return the item of each number, by class; number -1 has the item of all others."""
    table = json.loads(Path(__file__).with_name("items.json").read_text("utf-8"))
    return {
        label: {
            **{number: item for item, ranges in items.items() if item != "else" for number in _numbers(ranges)},
            -1: items["else"],
        }
        for label, items in table.items()
        if label != "about"
    }


def _numbers(ranges: str) -> Iterable[int]:
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
