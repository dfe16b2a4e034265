"""The linear head: maps the network's features to items. ``scripts/train_offline_head`` trains it."""

import hashlib
import io
import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from growbin_jobs.ai.offline.network import Array


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Softmax regression over the features, and where its ground is.

    Attributes:
      items: What each output stands for.
      weight: ``(len(items), 1280)``, for standardised features.
      bias: ``(len(items),)``
      mean: ``(1280,)``, of the training photos' features.
      precision: ``(1280,)``, one over their standard deviation.
      fingerprint: Changes with the head.
    """

    items: tuple[str, ...]
    weight: Array
    bias: Array
    mean: Array
    precision: Array
    fingerprint: str

    def judge(self, features: Array) -> tuple[Array, float]:
        """Return the probability of each item, and how far from the training photos the picture is.

        The distance is the mean square of the standardised features: about 1 for photos like those, and larger
        the stranger the picture is to the head.
        """
        standardised = (features - self.mean) * self.precision
        return softmax(self.weight @ standardised + self.bias), float(np.mean(standardised**2))


def load_head() -> Head:
    """Return the head that comes with the package."""
    folder = resources.files(__package__)
    data = (folder / "head.npz").read_bytes()
    items = json.loads((folder / "head.json").read_text("utf-8"))["items"]
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name].astype(np.float32) for name in ("weight", "bias", "mean", "precision")}
    return Head(tuple(items), **arrays, fingerprint=hashlib.sha256(data).hexdigest()[:16])


def softmax(logits: Array) -> Array:
    """Return probabilities for logits."""
    exponents = np.exp(logits - logits.max())
    result: Array = exponents / exponents.sum()
    return result
