"""``python -m growbin_jobs.ai.offline [--json] PHOTO…``: shows what the classifier sees, and why."""

import argparse
import json
import sys
from pathlib import Path

from growbin_jobs.ai.offline.classifier import OfflineClassifier
from growbin_jobs.ai.offline.judgement import Sight, judge
from growbin_jobs.ai.offline.labels import WASTE_LIKE
from growbin_jobs.errors import GrowbinError

EXAMPLES = """
examples:
  python -m growbin_jobs.ai.offline bottle.jpg
  python -m growbin_jobs.ai.offline --json --runtime numpy *.jpg
"""


def main() -> int:
    """Classify the photos named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m growbin_jobs.ai.offline",
        description="Show what the offline classifier sees in JPEG photos.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--json", action="store_true", help="one JSON object a photo")
    parser.add_argument("--runtime", choices=("auto", "onnxruntime", "numpy"), default="auto")
    options = parser.parse_args()
    try:
        classifier = OfflineClassifier.load(options.runtime)
        for photo in options.photos:
            sight = classifier.look(photo.read_bytes())
            sys.stdout.write(_json(photo, sight) if options.json else _text(photo, sight))
    except (GrowbinError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _labels(sight: Sight) -> dict[str, float]:
    return {WASTE_LIKE.get(index, f"class {index}"): round(value, 3) for index, value in sight.imagenet.items()}


def _items(sight: Sight) -> dict[str, float]:
    return {item: round(value, 3) for item, value in sorted(sight.items.items(), key=lambda pair: -pair[1])}


def _json(photo: Path, sight: Sight) -> str:
    found = {
        "photo": str(photo),
        **judge(sight).model_dump(),
        "items": _items(sight),
        "distance": round(sight.distance, 2),
        "imagenet": _labels(sight),
        "waste_like": round(sight.waste_like, 3),
    }
    return json.dumps(found) + "\n"  # in ASCII: a file's name may hold what a terminal obeys


def _text(photo: Path, sight: Sight) -> str:
    answer = judge(sight)
    items = ", ".join(f"{item} {value:.2f}" for item, value in list(_items(sight).items())[:4])
    labels = ", ".join(f"{label} {value:.2f}" for label, value in list(_labels(sight).items())[:6])
    name = photo.name if photo.name.isprintable() else ascii(photo.name)
    return (
        f"{name}: {answer.category}/{answer.item} {answer.confidence:.2f}\n"
        f"  head: {items}; distance {sight.distance:.2f}\n"
        f"  ImageNet: {labels}; waste-like {sight.waste_like:.2f}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
