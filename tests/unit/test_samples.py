"""The sample pictures are what their README promises, and the offline classifier knows them."""

import ast
import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from growbin_jobs.ai.offline.classifier import OfflineClassifier
from growbin_jobs.samples import NAMES, sample_pictures

README = sample_pictures()[0].with_name("README.md")
RENDER = Path(__file__).parents[2] / "scripts" / "samples" / "render.py"
ORIENTATION, GPS = 0x0112, 0x8825
CATEGORIES = {
    "pet_bottle": {"plastic"},
    "aluminum_can": {"metal"},
    "glass_bottle": {"glass"},
    "cardboard_box": {"paper"},
    "newspaper": {"paper"},
    "styrofoam_tray": {"plastic"},
}


@pytest.mark.parametrize("path", sample_pictures(), ids=lambda path: path.stem)
def test_sample_is_a_phone_sized_jpeg(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "JPEG"
        assert picture.mode == "RGB"
        assert sorted(picture.size) >= [1200, 1600]
        assert picture.getexif()[ORIENTATION] in (1, 6)
        assert min(high - low for low, high in picture.getextrema()) > 150, "a picture shows light and shade"
    assert path.stat().st_size <= 420_000


def test_one_sample_lies_on_its_side_and_stands_up_by_its_orientation() -> None:
    turned = [path for path in sample_pictures() if Image.open(path).getexif()[ORIENTATION] == 6]
    assert turned
    with Image.open(turned[0]) as picture:
        upright = ImageOps.exif_transpose(picture)
        assert picture.width > picture.height
        assert upright.width < upright.height


def test_samples_carry_a_place_to_be_stripped() -> None:
    places = [Image.open(path).getexif().get_ifd(GPS) for path in sample_pictures()]
    assert sum(bool(place) for place in places) >= 1


def test_script_renders_each_sample() -> None:
    tree = ast.parse(RENDER.read_text())
    shots = next(node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHOTS")
    assert isinstance(shots.value, ast.Dict)
    assert tuple(ast.literal_eval(key) for key in shots.value.keys if key) == NAMES
    for name in NAMES:
        assert RENDER.with_name(f"{name}.py").is_file()


@pytest.fixture(scope="module")
def classifier():  # type: ignore[no-untyped-def]
    return OfflineClassifier.load()


@pytest.mark.parametrize("path", sample_pictures(), ids=lambda path: path.stem)
def test_offline_classifier_knows_the_sample(classifier, path: Path) -> None:  # type: ignore[no-untyped-def]
    with Image.open(path) as picture:
        picture.thumbnail((1024, 1024), Image.Resampling.LANCZOS)
        seen = io.BytesIO()
        ImageOps.exif_transpose(picture).save(seen, "JPEG", quality=85)
    answer = classifier.classify(seen.getvalue())
    assert answer.category in CATEGORIES[path.stem]


def test_readme_says_what_the_classifier_answers(classifier) -> None:  # type: ignore[no-untyped-def]
    said = re.findall(r"^\| `(\w+)\.jpg` .*\| (\w+)/(\w+) (0\.\d\d) \|$", README.read_text(), re.MULTILINE)
    assert [row[0] for row in said] == list(NAMES)
    for path, (_, category, item, confidence) in zip(sample_pictures(), said, strict=True):
        answer = classifier.classify(path.read_bytes())
        assert (answer.category, answer.item) == (category, item)
        assert answer.confidence == pytest.approx(float(confidence), abs=0.02)
