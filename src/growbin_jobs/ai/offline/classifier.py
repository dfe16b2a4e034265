"""The offline vision model as a service: picture in, answer out."""

import hashlib
import threading
from typing import Final, Literal, Protocol

from growbin_jobs.ai.offline.judgement import VERSION, Sight, judge
from growbin_jobs.ai.offline.labels import OFFLINE_ITEMS, WASTE_LIKE
from growbin_jobs.engine.node.cores import usable_cores
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.messages import VisionAnswer

try:
    import numpy as np

    from growbin_jobs.ai.offline import head, network, preprocessing, weights
except ImportError as error:
    raise ConfigurationError(
        f"The offline classifier needs {error.name}. Install it with `pip install 'growbin-jobs[offline]'`, "
        "or set OPENAI_API_KEY to use a model server."
    ) from None

__all__ = ["NAME", "OFFLINE_ITEMS", "OfflineClassifier", "RuntimeName"]

RuntimeName = Literal["auto", "onnxruntime", "numpy"]

NAME: Final = "offline/efficientnet-lite0"

#: ImageNet classes that a :class:`Sight` keeps.
_SHOWN: Final = 10


class Runtime(Protocol):
    """Something that runs the network."""

    @property
    def name(self) -> str: ...

    def run(self, pixels: network.Array) -> tuple[network.Array, network.Array]:
        """Return the features and ImageNet's logits of one picture."""
        ...


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
        parts = (weights.SHA256, trained.fingerprint, str(VERSION))
        self.fingerprint = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
        # More at once than there are cores would finish no sooner and only cost memory.
        self._turn = threading.BoundedSemaphore(usable_cores())

    @classmethod
    def load(cls, runtime: RuntimeName = "auto") -> "OfflineClassifier":
        """Read the weights and build the network: a few tenths of a second.

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
        return judge(self.look(picture))

    def look(self, picture: bytes) -> Sight:
        """Return what :meth:`classify` bases its answer on.

        Raises:
          PictureRefused: If it is no JPEG, or is damaged.
        """
        with self._turn:
            features, logits = self.runtime.run(preprocessing.pixels_of(picture))
        return self.see(features, logits)

    def see(self, features: network.Array, logits: network.Array) -> Sight:
        """Return what the network's output says."""
        items, distance = self._head.judge(features)
        imagenet = head.softmax(logits)
        return Sight(
            items=dict(zip(self._head.items, items.tolist(), strict=True)),
            distance=distance,
            imagenet={int(index): float(imagenet[index]) for index in np.argsort(-imagenet)[:_SHOWN]},
            waste_like=float(imagenet[self._waste_like].sum()),
        )


def make_runtime(folded: network.Network, runtime: RuntimeName) -> Runtime:
    """Return what runs the network.

    Raises:
      ConfigurationError: If the runtime that was asked for is not installed.
    """
    missing = None
    for choice in ("onnxruntime", "numpy") if runtime == "auto" else (runtime,):
        try:
            if choice == "onnxruntime":
                from growbin_jobs.ai.offline.onnx_runtime import OnnxRuntime

                return OnnxRuntime(folded)
            from growbin_jobs.ai.offline.numpy_runtime import NumpyRuntime

            return NumpyRuntime(folded)
        except ImportError as error:
            missing = error.name
    raise ConfigurationError(f"GROWBIN_OFFLINE_RUNTIME={runtime} needs {missing}. {weights.REMEDY}")
