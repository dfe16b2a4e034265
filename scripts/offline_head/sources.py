"""Pictures beside TrashNet's: what must be called general, and strangers of every category to measure with."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from growbin_jobs.adapters.pictures import shrink
from growbin_jobs.ai.offline import preprocessing
from growbin_jobs.messages import Category
from offline_head.scenes import scene

LIST: Final = Path(__file__).with_name("sources.json")
SCENES: Final = 480
#: The name of the source that the project renders itself.
RENDERED: Final = "rendered"


@dataclass(frozen=True, slots=True)
class Stranger:
    """One picture that is not TrashNet's.

    Attributes:
      source: Where it comes from; where one repository has several kinds, each is a source.
      name: Its file's name without the ending, or a scene's number.
      category: What is right.
      path: The file; None for a rendered scene.
    """

    source: str
    name: str
    category: Category
    path: Path | None = None

    def image(self) -> Image.Image:
        """Return it as the AI group gets it: upright, sRGB, at most 1024 px, through a JPEG.

        Raises:
          PictureRefused: If it is too small, damaged, or else of no use.
        """
        if self.path is None:
            return scene(int(self.name))
        return preprocessing.decode(shrink(self.path.read_bytes()))


def listed() -> list[dict[str, Any]]:
    """Return the sources of ``sources.json``."""
    sources: list[dict[str, Any]] = json.loads(LIST.read_text("utf-8"))["sources"]
    return sources


def find_strangers(folder: Path) -> list[Stranger]:
    """Return the pictures of all sources, in a fixed order.

    Parameters:
      folder: Holds a working copy of each repository, called as it is called.

    Raises:
      SystemExit: If one is missing; says how to get it.
    """
    found = [Stranger(RENDERED, str(number), "general") for number in range(SCENES)]
    for source in listed():
        place = folder / source["repository"].split("/")[1]
        if not place.is_dir():
            raise SystemExit(
                f"{place} is missing: a working copy of github.com/{source['repository']} at {source['commit']}. "
                f"Name another folder with --others."
            )
        found += _files(source, place)
    return found


def taught() -> frozenset[str]:
    """Return the sources that a head may learn from."""
    return frozenset({RENDERED, *(source["name"] for source in listed() if source.get("train"))})


def _files(source: dict[str, Any], place: Path) -> Iterator[Stranger]:
    for pattern, category in source["files"].items():
        kind = f": {pattern.split('/')[-2].lower()}" if source.get("split") else ""
        paths = sorted(place.glob(pattern), key=str)
        paths = [path for path in paths if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
        random.Random(0).shuffle(paths)  # noqa: S311 - always the same ones
        for path in sorted(paths[: source.get("photos", {}).get(pattern)], key=str):
            if not _left_out(source, place, path):
                yield Stranger(source["name"] + kind, path.stem, category, path)


def _left_out(source: dict[str, Any], place: Path, path: Path) -> bool:
    """Whether something is marked in the picture that may be waste after all."""
    if "not" not in source:
        return False
    labels = place / source["not"]["labels"].format(folder=path.parent.name, stem=path.stem)
    lines = labels.read_text("utf-8").splitlines() if labels.is_file() else []
    return any(int(line.split()[0]) in source["not"]["classes"] for line in lines if line)
