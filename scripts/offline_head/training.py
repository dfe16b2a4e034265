"""One training: the head, and what heads that were fitted without a picture, or without its source, saw in it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from growbin_jobs.ai.offline.classifier import OfflineClassifier, Runtime
from growbin_jobs.ai.offline.head import Head
from growbin_jobs.ai.offline.judgement import Sight
from growbin_jobs.ai.offline.labels import CATEGORY_OF
from offline_head import features as computed
from offline_head.features import Features, Pictured
from offline_head.fitting import fit, held_out_heads
from offline_head.photos import FOLDS, Photo, assign_folds
from offline_head.reliability import Seen
from offline_head.sources import Stranger, taught
from offline_head.views import COUNT, FEW

#: Decides which blocks of TrashNet's photos are held out together.
SEED = 0

Progress = Callable[[str, int], Callable[[], None]]
"""Announces so many steps; what it returns is called after each."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A head fitted to everything it may learn from, and what was seen by heads that did not know the picture.

    Attributes:
      head: The head.
      sights: Of TrashNet's photos, each by a head fitted without its block.
      strangers: Of all other pictures, by heads fitted without their source.
    """

    head: Head
    sights: list[Sight]
    strangers: list[Seen]


def train(
    photos: Sequence[Photo], strangers: Sequence[Stranger], runtime: Runtime, kept: Path | None, progress: Progress
) -> Trained:
    """Fit the head, and those that measure it.

    Parameters:
      photos: TrashNet's.
      strangers: All others.
      runtime: Runs the network.
      kept: A folder to keep the features in, or to take them from; None keeps nothing.
      progress: Tells how far it is.
    """
    items = [photo.item for photo in photos]
    known = _features("trashnet", photos, range(COUNT), runtime, kept, progress)
    others: dict[str, list[Stranger]] = {}
    for stranger in strangers:
        others.setdefault(stranger.source, []).append(stranger)
    unknown = {}
    for source, pictures in others.items():
        which = FEW if source in taught() else FEW[:1]
        unknown[source] = _features(source, pictures, which, runtime, kept, progress)
    general = {source: unknown[source].of_views for source in taught()}

    fitted = progress("Fitting heads", 1 + len(general) + FOLDS)
    head = fit(known.of_views, items, general)
    fitted()
    without = {}
    for source in general:
        without[source] = fit(known.of_views, items, {key: general[key] for key in general if key != source})
        fitted()
    folds = assign_folds(photos, SEED)
    heads = held_out_heads(known.of_views, items, folds, general, fitted)
    by_fold = [OfflineClassifier(runtime, each) for each in heads]
    sights = [
        by_fold[fold].see(plain, logits)
        for fold, plain, logits in zip(folds, known.of_views[:, 0], known.logits, strict=True)
    ]
    seen: list[Seen] = []
    for source, pictures in others.items():
        classifier = OfflineClassifier(runtime, without.get(source, head))
        seen += _seen(classifier, pictures, unknown[source])
    return Trained(head, sights, seen)


def known_and_strangers(photos: Sequence[Photo], trained: Trained) -> list[Seen]:
    """Return all that was seen: TrashNet is a source like the others."""
    known = zip(photos, trained.sights, strict=True)
    return [Seen("TrashNet", CATEGORY_OF[photo.item], sight) for photo, sight in known] + trained.strangers


def _seen(classifier: OfflineClassifier, pictures: Iterable[Stranger], features: Features) -> Iterable[Seen]:
    used = [picture for picture, take in zip(pictures, features.used, strict=True) if take]
    for picture, views, logits in zip(used, features.of_views, features.logits, strict=True):
        yield Seen(picture.source, picture.category, classifier.see(views[0], logits))


def _features(
    source: str,
    pictures: Sequence[Pictured],
    which: Sequence[int],
    runtime: Runtime,
    kept: Path | None,
    progress: Progress,
) -> Features:
    file = kept and kept / f"{source.replace(': ', '-').replace(' ', '_')}.npz"
    if file and file.is_file():
        return computed.load(file)
    looked_at = progress(f"Looking at {len(pictures)} of {source}", len(pictures))
    found = computed.extract(pictures, which, runtime, looked_at)
    if file:
        found.save(file)
    return found
