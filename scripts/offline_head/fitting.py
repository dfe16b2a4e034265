"""Softmax regression over the network's features."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from growbin_jobs.ai.offline.head import Head
from growbin_jobs.ai.offline.labels import CATEGORY_OF
from growbin_jobs.ai.offline.network import Array
from growbin_jobs.messages import GENERAL_ITEM
from offline_head.photos import FOLDS

#: Inverse strength of the L2 penalty; 0.001, 0.003 and 0.01 were measured and differ by less than chance.
C = 0.01
#: A feature that hardly varies must not decide how strange a picture is.
LEAST_DEVIATION = 0.01


def fit(of_views: Array, items: Sequence[str], general: Mapping[str, Array]) -> Head:
    """Fit a head to photos.

    How often somebody photographed a thing says nothing about how often people will: all categories weigh the same,
    in each of them all items, and in what is general all sources.

    Parameters:
      of_views: (photos, views, 1280), of TrashNet; the first view of each is what the classifier sees. The distance
        that the head measures is the distance from these.
      items: The item of each photo.
      general: (pictures, views, 1280) of what is general, by source.
    """
    plain = of_views[:, 0].astype(np.float64)
    mean = plain.mean(axis=0)
    precision = 1.0 / np.maximum(plain.std(axis=0), LEAST_DEVIATION)
    # Rounded first, so that the weights are fitted to what is stored.
    mean, precision = mean.astype(np.float16), precision.astype(np.float16)
    names = sorted({*items, GENERAL_ITEM})
    groups = [(item, of_views[[other == item for other in items]]) for item in sorted(set(items))]
    groups += [(GENERAL_ITEM, general[source]) for source in sorted(general)]
    shares = Counter(CATEGORY_OF[item] for item, _ in groups)
    rows, targets, shares_of_rows = [], [], []
    for item, group in groups:
        flat = group.reshape(-1, group.shape[2])
        rows.append((flat - mean.astype(np.float32)) * precision.astype(np.float32))
        targets += [names.index(item)] * len(flat)
        shares_of_rows += [1 / shares[CATEGORY_OF[item]] / len(flat)] * len(flat)
    each = np.array(shares_of_rows)
    with threadpool_limits(1, user_api="blas"):
        model = LogisticRegression(C=C, max_iter=500, tol=1e-3)
        model.fit(np.concatenate(rows), targets, sample_weight=each / each.mean())
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
    of_views: Array,
    items: Sequence[str],
    folds: npt.NDArray[np.int64],
    general: Mapping[str, Array],
    advance: Callable[[], None],
) -> list[Head]:
    """Return one head a fold, fitted to the photos of all other folds and to all that is general."""
    heads = []
    for fold in range(FOLDS):
        rest = folds != fold
        heads.append(fit(of_views[rest], [item for item, take in zip(items, rest, strict=True) if take], general))
        advance()
    return heads
