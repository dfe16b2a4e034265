"""The offline vision model: what is in the picture, as well as this machine can tell."""

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from growbin_jobs.ai.offline.labels import EVIDENCE, OFFLINE_ITEMS, WASTE_LIKE
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.messages import GENERAL_ITEM, Category, VisionAnswer

try:
    import numpy as np

    from growbin_jobs.ai.offline import head, network, preprocessing, weights
    from growbin_jobs.ai.offline.network import Array
except ImportError as error:  # pragma: no cover - tried in a process of its own
    raise ConfigurationError(
        f"The offline classifier needs {error.name}. Install it with `pip install 'growbin-jobs[offline]'`, "
        "or set OPENAI_API_KEY to use a model server."
    ) from None

RuntimeName = Literal["auto", "onnxruntime", "numpy"]

NAME: Final = "offline/efficientnet-lite0"
#: Raise it whenever the code below would answer differently with the same weights.
RULES_VERSION: Final = 1
#: The head was trained on photos of one kind; it is never as sure as it says on others.
CONFIDENCE_CAP: Final = 0.8
#: Below this probability of all waste-like ImageNet classes the picture shows something else.
LEAST_WASTE_LIKE: Final = 0.1


class Runtime(Protocol):
    """Something that runs the network."""

    @property
    def name(self) -> str: ...

    def run(self, pixels: Array) -> tuple[Array, Array]:
        """Return the features and ImageNet's logits of one picture."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen, for those who want to know why.

    Attributes:
      answer: The answer.
      items: Probability of each of the head's items, the highest first.
      imagenet: ImageNet's class numbers and their probabilities, the ten highest first.
      waste_like: Probability of all waste-like ImageNet classes together.
    """

    answer: VisionAnswer
    items: dict[str, float]
    imagenet: dict[int, float]
    waste_like: float


class OfflineClassifier:
    """A vision model without a server. One serves all threads of a process; make it after the fork.

    Parameters:
      runtime: What runs the network.
      trained: The head.
    """

    name: Final = NAME

    def __init__(self, runtime: Runtime, trained: head.Head) -> None:
        self.runtime = runtime
        self._head = trained
        self._waste_like = np.array(sorted(WASTE_LIKE))
        parts = (weights.SHA256, trained.fingerprint, str(RULES_VERSION))
        self.fingerprint = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
        # More at once than cores would only cost memory: about 15 MB each.
        self._turn = threading.BoundedSemaphore(len(os.sched_getaffinity(0)))

    @classmethod
    def load(cls, runtime: RuntimeName = "auto") -> "OfflineClassifier":
        """Read the weights and build the network; takes about half a second and 120 MB.

        Parameters:
          runtime: ``onnxruntime``, ``numpy``, or ``auto``: onnxruntime where it is installed.

        Raises:
          ConfigurationError: If a package of the extra ``offline`` is missing, or the weights are not the known ones.
        """
        return cls(make_runtime(network.fold(weights.load_state()), runtime), head.load_head())

    def classify(self, picture: bytes, address: str | None = None) -> VisionAnswer:  # noqa: ARG002 - nothing to fetch
        """Say what the picture shows.

        Parameters:
          picture: An upright RGB JPEG.
          address: Not used: the picture is here.

        Raises:
          PictureRefused: If it is no JPEG, or is damaged.
        """
        return self.look(picture).answer

    def look(self, picture: bytes) -> Sight:
        """Like :meth:`classify`, with what led to the answer.

        Raises:
          PictureRefused: If it is no JPEG, or is damaged.
        """
        with self._turn:
            features, logits = self.runtime.run(preprocessing.pixels_of(picture))
        imagenet = head.softmax(logits)
        waste_like = float(imagenet[self._waste_like].sum())
        items = dict(zip(self._head.items, self._head.probabilities(features).tolist(), strict=True))
        return Sight(
            answer=decide(items, imagenet, waste_like),
            items=dict(sorted(items.items(), key=lambda pair: -pair[1])),
            imagenet={int(index): float(imagenet[index]) for index in np.argsort(imagenet)[:-11:-1]},
            waste_like=waste_like,
        )


def decide(items: dict[str, float], imagenet: Array, waste_like: float) -> VisionAnswer:
    """Make the answer: the category first, from all its items together; then the item within it."""
    categories: dict[Category, float] = {}
    for item, probability in items.items():
        category = OFFLINE_ITEMS[item]
        categories[category] = categories.get(category, 0.0) + probability
    best = max(categories, key=lambda category: categories[category])
    if waste_like < LEAST_WASTE_LIKE:
        return _answer("general", GENERAL_ITEM, 1.0 - waste_like)
    return _answer(best, _item(best, items, imagenet), categories[best])


def _item(category: Category, items: dict[str, float], imagenet: Array) -> str:
    best = max((item for item in items if OFFLINE_ITEMS[item] == category), key=lambda item: items[item])
    evidence = {
        item: float(imagenet[list(classes)].sum())
        for item, classes in EVIDENCE.items()
        if OFFLINE_ITEMS[item] == category
    }
    likely = max(evidence, key=lambda item: evidence[item], default=best)
    return likely if evidence.get(likely, 0.0) >= 0.2 else best


def _answer(category: Category, item: str, probability: float) -> VisionAnswer:
    # No weights that we know of tell clean from dirty: "mixed" stands for "cannot tell".
    confidence = round(min(max(probability, 0.0), 1.0) * CONFIDENCE_CAP, 3)
    return VisionAnswer(category=category, item=item, state="mixed", confidence=confidence)


def make_runtime(folded: network.Network, runtime: RuntimeName) -> Runtime:
    """Return what runs the network.

    Raises:
      ConfigurationError: If the runtime that was asked for is not installed.
    """
    choices: Sequence[str] = ("onnxruntime", "numpy") if runtime == "auto" else (runtime,)
    missing = ""
    for choice in choices:
        try:
            if choice == "onnxruntime":
                from growbin_jobs.ai.offline.onnx_runtime import OnnxRuntime

                return OnnxRuntime(folded)
            from growbin_jobs.ai.offline.numpy_runtime import NumpyRuntime

            return NumpyRuntime(folded)
        except ImportError as error:
            missing = error.name or choice
    raise ConfigurationError(f"GROWBIN_OFFLINE_RUNTIME={runtime} needs {missing}. {weights.REMEDY}")
