"""The command ``scripts/train_offline_head``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from growbin_jobs.ai.offline import network, weights
from growbin_jobs.ai.offline.classifier import make_runtime
from offline_head import figures, reliability, storage
from offline_head.photos import find_photos
from offline_head.sources import find_strangers
from offline_head.training import known_and_strangers, train

PACKAGE = Path(__file__).parents[2] / "src/growbin_jobs/ai/offline"
#: What the held-out heads saw: enough to judge it again with another judgement.
HELD_OUT = Path(__file__).with_name("held_out.npz")
#: The least accuracy over the five categories that may be stored.
REQUIRED = 0.88

EXAMPLES = """
examples:
  scripts/train_offline_head                       train, measure, and write head.npz and head.json
  scripts/train_offline_head --check               train again and compare with what is stored
  scripts/train_offline_head --report              how often the stored judgement is wrong, by source; trains nothing
  scripts/train_offline_head --photos ~/trashnet --others ~/clones --features /tmp/features --out /tmp/head

the other photos: a working copy of each repository that scripts/offline_head/sources.json lists, all in one folder
"""


def main() -> int:
    """Train and measure, then write or compare."""
    parser = argparse.ArgumentParser(
        prog="scripts/train_offline_head",
        description="Train the offline classifier's head, and measure it on photos of TrashNet that were held out in "
        "blocks, and on pictures of sources that it did not learn from. Takes about twenty minutes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("../shared/photos/train"),
        help="folder of {category}/{class}/*.jpg (default: %(default)s)",
    )
    parser.add_argument(
        "--others", type=Path, default=Path("../clones"), help="folder of the repositories (default: %(default)s)"
    )
    parser.add_argument("--features", type=Path, help="folder to keep what the network says in, for another run")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="folder to write to (default: the package)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail unless the result is what is stored")
    parser.add_argument("--report", action="store_true", help="show how reliable the stored judgement is, and end")
    options = parser.parse_args()

    console, out = Console(stderr=True), Console()
    if options.report:
        show_reliability(reliability.table(reliability.load(HELD_OUT)), out)
        return 0
    photos = find_photos(options.photos)
    strangers = find_strangers(options.others)
    if options.features:
        options.features.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        runtime = make_runtime(network.fold(weights.load_state()), "auto")
        trained = train(photos, strangers, runtime, options.features, _steps(progress))
    seen = known_and_strangers(photos, trained)
    found = {"trashnet": figures.measure(photos, trained.sights), "sources": reliability.table(seen)}
    show(found["trashnet"], out)
    show_reliability(found["sources"], out)
    accuracy = found["trashnet"]["categories"]
    if accuracy < REQUIRED:
        console.print(f"[red]{accuracy:.3f} is below the required {REQUIRED}: nothing written")
        return 1
    if options.check:
        return 0 if storage.compare(trained.head, found, options.out, console) else 1
    storage.write(trained.head, found, options.out, console)
    if options.out == PACKAGE:
        reliability.save(seen, HELD_OUT)
    return 0


def _steps(progress: Progress) -> Callable[[str, int], Callable[[], None]]:
    def announce(title: str, count: int) -> Callable[[], None]:
        task = progress.add_task(title, total=count)
        return lambda: progress.advance(task)

    return announce


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures of TrashNet's photos."""
    names = list(found["confusion"])
    count = sum(sum(row.values()) for row in found["confusion"].values())
    table = Table("is \\ said", *names, "recall", title=f"{count} photos, none known to the head that judged it")
    for name in names:
        row = found["confusion"][name]
        table.add_row(name, *(str(row[column]) for column in names), f"{row[name] / sum(row.values()):.2f}")
    console.print(table)
    console.print(
        f"5 categories: {found['categories']:.3f} (head alone: {found['categories_of_the_head_alone']:.3f}); "
        f"items: {found['items']:.3f}"
    )
    for title in ("recall_of_classes", "recall_of_items"):
        rows = (f"{name} {row['right']:.2f} of {row['photos']}" for name, row in found[title].items())
        console.print(f"{title.replace('_', ' ')}: {', '.join(rows)}")


def show_reliability(found: dict[str, dict[str, Any]], console: Console) -> None:
    """Print answers and wrong answers by source and confidence."""
    bins = list(next(iter(found.values()))["by_confidence"])
    table = Table("source", "photos", "right", *bins, "sure: wrong at most", title="answers/wrong, by confidence")
    for source, row in found.items():
        cells = (f"{answers}/{wrong}" for answers, wrong in row["by_confidence"].values())
        most = f"{row['sure_and_wrong_at_most']:.3f}" if row["sure"] else "–"
        table.add_row(source, str(row["photos"]), f"{row['right']:.2f}", *cells, most)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
