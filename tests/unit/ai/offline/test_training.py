"""The stored head is what its figures say, and its training split is fair."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from growbin_jobs.ai.offline import head as head_module
from growbin_jobs.ai.offline import weights
from growbin_jobs.ai.offline.labels import OFFLINE_ITEMS

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "scripts"))

from offline_head.photos import BLOCK, FOLDS, Photo, assign_folds, find_photos  # noqa: E402
from offline_head.sources import RENDERED, SCENES, find_strangers, listed, taught  # noqa: E402

FOLDER = Path(head_module.__file__).parent
ITEMS = json.loads((ROOT / "scripts/offline_head/items.json").read_text())


def test_the_stored_head_reaches_what_is_required():
    stored = json.loads((FOLDER / "head.json").read_text())

    assert stored["figures"]["trashnet"]["categories"] >= 0.88
    assert stored["weights_sha256"] == weights.SHA256
    assert "MIT, © 2017 Gary Thung, Mindy Yang" in stored["provenance"]["photos"]
    assert "CC0-1.0" in stored["provenance"]["clothes"]
    assert "MIT, © 2019 Marcus Klasson" in stored["provenance"]["groceries"]
    assert (FOLDER / "head.npz").stat().st_size <= 50_000


def test_the_stored_head_holds_numbers_only():
    head = head_module.load_head()

    assert head.weight.shape == (len(head.items), 1280)
    assert head.bias.shape == (len(head.items),)
    assert all(np.isfinite(array).all() for array in (head.weight, head.bias, head.mean, head.precision))


@pytest.mark.parametrize("seed", [0, 1])
def test_blocks_stay_on_one_side_of_a_split(seed):
    photos = [Photo(Path(f"{label}{n}"), n, label, label) for label in ("glass", "metal") for n in range(400)]

    folds = assign_folds(photos, seed)

    sides = {photo.block: set() for photo in photos}
    for photo, fold in zip(photos, folds, strict=True):
        sides[photo.block].add(int(fold))
    assert all(len(found) == 1 for found in sides.values())
    counts = Counter(folds.tolist())
    assert len(counts) == FOLDS
    assert max(counts.values()) - min(counts.values()) <= 4 * BLOCK


def test_the_split_is_the_same_every_time():
    photos = [Photo(Path(f"glass{n}"), n, "glass", "glass") for n in range(200)]

    assert np.array_equal(assign_folds(photos, 0), assign_folds(photos, 0))
    assert not np.array_equal(assign_folds(photos, 0), assign_folds(photos, 1))


def test_photos_get_the_item_of_their_number(tmp_path):
    for name in ("metal/metal14", "metal/metal147", "metal/metal13", "trash/trash1"):
        path = tmp_path / "any" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    found = {photo.path.stem: photo.item for photo in find_photos(tmp_path)}

    assert found == {"metal14": "aluminum_can", "metal147": "aluminum_can", "metal13": "steel_can", "trash1": "general"}


def test_the_head_learns_only_from_photos_whose_licence_allows_it():
    licences = {source["name"]: source["licence"] for source in listed() if source.get("train")}

    assert taught() == {*licences, RENDERED}
    assert set(licences.values()) <= {"CC0-1.0", "MIT"}
    assert all(re.fullmatch(r"[0-9a-f]{40}", source["commit"]) for source in listed())


def test_the_other_photos_are_always_the_same_ones(tmp_path):
    clothes, coco = tmp_path / "clothing-dataset/images", tmp_path / "coco128_yolo"
    for folder in ("images/val2017", "object_detection/labels/val2017"):
        (coco / folder).mkdir(parents=True)
    clothes.mkdir(parents=True)
    for number in range(1300):
        (clothes / f"{number}.jpg").touch()
    for name, label in (("1", "0 0.5 0.5 1 1"), ("2", "39 0.5 0.5 1 1")):
        (coco / f"images/val2017/{name}.jpg").touch()
        (coco / f"object_detection/labels/val2017/{name}.txt").write_text(label)
    for source in listed():
        (tmp_path / source["repository"].split("/")[1]).mkdir(exist_ok=True)

    found = find_strangers(tmp_path)

    assert Counter(each.source for each in found) == {RENDERED: SCENES, "clothes": 1200, "scenes": 1}
    assert [each.name for each in found if each.source == "scenes"] == ["1"]
    assert found == find_strangers(tmp_path)


def test_a_missing_repository_says_what_to_clone(tmp_path):
    with pytest.raises(SystemExit, match="clothing-dataset at 7ed86a9c"):
        find_strangers(tmp_path)


def test_without_photos_the_training_says_so(tmp_path):
    with pytest.raises(SystemExit, match="--photos"):
        find_photos(tmp_path)


@pytest.mark.parametrize("label", [label for label in ITEMS if label != "about"])
def test_no_photo_has_two_items(label):
    named = Counter(
        number
        for item, ranges in ITEMS[label].items()
        if item != "else"
        for part in ranges.split()
        for number in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)
    )

    assert [number for number, times in named.items() if times > 1] == []
    assert {item for item in ITEMS[label] if item != "else"} | {ITEMS[label]["else"]} <= set(OFFLINE_ITEMS)
