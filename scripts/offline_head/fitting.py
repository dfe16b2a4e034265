"""Features, softmax regression, and the measurement on photos that were held out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from growbin_jobs.ai.offline import preprocessing
from growbin_jobs.ai.offline.classifier import Runtime
from growbin_jobs.ai.offline.head import Head
from growbin_jobs.ai.offline.network import Array
from offline_head.photos import FOLDS, Photo
from offline_head.views import views

#: Inverse strength of the L2 penalty; 0.001, 0.003 and 0.01 were measured and differ by less than chance.
C = 0.01
#: A feature that hardly varies must not decide how strange a picture is.
LEAST_DEVIATION = 0.01


@dataclass(frozen=True, slots=True)
class Features:
    """``of_views``: (photos, views, 1280); ``logits``: (photos, 1000), of the first view."""

    of_views: Array
    logits: Array


def extract(photos: Sequence[Photo], runtime: Runtime, advance: Callable[[], None]) -> Features:
    """Run the network over all views of all photos."""

    def one(photo: Photo) -> tuple[Array, Array]:
        image = preprocessing.decode(photo.path.read_bytes())
        seen = [runtime.run(preprocessing.normalise(view)) for view in views(image, photo.path.stem)]
        advance()
        return np.stack([features for features, _logits in seen]), seen[0][1]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(one, photos))
    return Features(
        np.stack([features for features, _logits in found]), np.stack([logits for _features, logits in found])
    )


def fit(of_views: Array, items: Sequence[str]) -> Head:
    """Fit a head to photos.

    Parameters:
      of_views: (photos, views, 1280); the first view of each is what the classifier sees.
      items: The item of each photo.
    """
    plain = of_views[:, 0].astype(np.float64)
    mean = plain.mean(axis=0)
    precision = 1.0 / np.maximum(plain.std(axis=0), LEAST_DEVIATION)
    # Rounded first, so that the weights are fitted to what is stored.
    mean, precision = mean.astype(np.float16), precision.astype(np.float16)
    standardised = (of_views - mean.astype(np.float32)) * precision.astype(np.float32)
    names = sorted(set(items))
    targets = np.repeat([names.index(item) for item in items], of_views.shape[1])
    with threadpool_limits(1, user_api="blas"):
        # How often TrashNet photographed a thing says nothing about how often people will.
        model = LogisticRegression(C=C, class_weight="balanced", max_iter=500, tol=1e-3)
        model.fit(standardised.reshape(-1, of_views.shape[2]), targets)
    weight, bias = model.coef_.astype(np.float16), model.intercept_.astype(np.float32)
    return Head(
        tuple(names),
        weight.astype(np.float32),
        bias,
        mean.astype(np.float32),
        precision.astype(np.float32),
        fingerprint="",
    )


def held_out_heads(
    features: Features, items: Sequence[str], folds: npt.NDArray[np.int64], advance: Callable[[], None]
) -> list[Head]:
    """Return one head a fold, fitted to the photos of all other folds."""
    heads = []
    for fold in range(FOLDS):
        rest = folds != fold
        heads.append(fit(features.of_views[rest], [item for item, take in zip(items, rest, strict=True) if take]))
        advance()
    return heads
