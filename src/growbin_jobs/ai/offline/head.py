"""The linear head: from the network's features to items. Trained by ``scripts/train_offline_head``."""

import hashlib
import io
import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from growbin_jobs.ai.offline.network import Array


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Softmax regression over the features; the training data's scaling is folded in.

    Attributes:
      items: What each output stands for.
      weight: ``(len(items), 1280)``
      bias: ``(len(items),)``
      fingerprint: Changes with the head.
    """

    items: tuple[str, ...]
    weight: Array
    bias: Array
    fingerprint: str

    def probabilities(self, features: Array) -> Array:
        """Return the probability of each item."""
        return softmax(self.weight @ features + self.bias)


def load_head() -> Head:
    """Return the head that comes with the package."""
    folder = resources.files(__package__)
    data = (folder / "head.npz").read_bytes()
    items = json.loads((folder / "head.json").read_text("utf-8"))["items"]
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        weight, bias = arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
    return Head(tuple(items), weight, bias, hashlib.sha256(data).hexdigest()[:16])


def softmax(logits: Array) -> Array:
    """Return probabilities for logits."""
    exponents = np.exp(logits - logits.max())
    result: Array = exponents / exponents.sum()
    return result
