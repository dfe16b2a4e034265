"""One network for all tests of the offline classifier: it is read-only, and reading it is most of their time."""

import io
from pathlib import Path

import pytest
from PIL import Image

from growbin_jobs.ai.offline import network, weights
from growbin_jobs.ai.offline.classifier import OfflineClassifier, make_runtime
from growbin_jobs.ai.offline.head import load_head

SAMPLES = Path(__file__).resolve().parents[4] / "src/growbin_jobs/samples"


@pytest.fixture(scope="session")
def folded():
    return network.fold(weights.load_state())


@pytest.fixture(scope="session")
def runtimes(folded):
    return {name: make_runtime(folded, name) for name in ("onnxruntime", "numpy")}


@pytest.fixture(scope="session")
def classifiers(runtimes):
    return {name: OfflineClassifier(runtime, load_head()) for name, runtime in runtimes.items()}


@pytest.fixture(scope="session")
def classifier(classifiers):
    return classifiers["onnxruntime"]


@pytest.fixture(scope="session")
def sample_jpegs():
    """The project's sample pictures as a vision model gets them."""
    return {path.stem: _as_seen(path) for path in sorted(SAMPLES.glob("*.jpg"))}


def _as_seen(path):
    with Image.open(path) as image:
        image.thumbnail((1024, 1024))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=85)
    return out.getvalue()
