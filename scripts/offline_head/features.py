"""What the network says of pictures: computed once, kept in a file if wished, and used for every fit."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from growbin_jobs.ai.offline import preprocessing
from growbin_jobs.ai.offline.classifier import Runtime
from growbin_jobs.ai.offline.network import Array
from growbin_jobs.errors import PictureRefused
from offline_head.views import views


class Pictured(Protocol):
    """Something to look at."""

    @property
    def name(self) -> str: ...

    def image(self) -> Image.Image: ...


@dataclass(frozen=True, slots=True)
class Features:
    """What the network says.

    Attributes:
      used: ``(pictures,)``: which pictures could be looked at. The others are refused as uploads would be, and have
        no place in what follows.
      of_views: ``(used pictures, views, 1280)``
      logits: ``(used pictures, 1000)``, of the first view.
    """

    used: npt.NDArray[np.bool_]
    of_views: Array
    logits: Array

    def save(self, path: Path) -> None:
        """Write them, at half precision."""
        half = {"of_views": self.of_views.astype(np.float16), "logits": self.logits.astype(np.float16)}
        np.savez(path, used=self.used, **half)


def load(path: Path) -> Features:
    """Read what :meth:`Features.save` has written."""
    with np.load(path, allow_pickle=False) as file:
        return Features(file["used"], file["of_views"].astype(np.float32), file["logits"].astype(np.float32))


def extract(
    pictures: Sequence[Pictured], which: Sequence[int], runtime: Runtime, advance: Callable[[], None]
) -> Features:
    """Run the network over views of all pictures.

    Parameters:
      pictures: What to look at.
      which: The views, by their place; the first is the picture as the classifier sees it, 0.
      runtime: Runs the network.
      advance: Called after each picture.
    """

    def one(picture: Pictured) -> tuple[Array, Array] | None:
        advance()
        try:
            image = picture.image()
        except PictureRefused:
            return None
        first = islice(views(image, picture.name), max(which) + 1)
        seen = [runtime.run(preprocessing.normalise(view)) for place, view in enumerate(first) if place in which]
        return np.stack([features for features, _logits in seen]), seen[0][1]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(one, pictures))
    kept = [each for each in found if each is not None]
    return Features(
        np.array([each is not None for each in found]),
        np.stack([features for features, _logits in kept]),
        np.stack([logits for _features, logits in kept]),
    )
