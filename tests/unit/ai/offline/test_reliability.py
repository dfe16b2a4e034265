"""What the classifier is sure of is right, wherever a picture comes from; and what is no waste is not called so."""

import io
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.whole import WHOLE

from growbin_jobs.ai.offline import head as head_module

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "scripts"))

from offline_head import reliability  # noqa: E402
from offline_head.scenes import scene  # noqa: E402
from offline_head.sources import SCENES  # noqa: E402

#: Named here, since the command that writes it takes a second to import in each process of pytest.
HELD_OUT = ROOT / "scripts" / "offline_head" / "held_out.npz"

FIGURES = json.loads((Path(head_module.__file__).parent / "head.json").read_text())["figures"]["sources"]


@pytest.fixture(scope="module")
def found():
    """Today's judgement of what heads that had not learnt from a picture's source saw in it."""
    return reliability.table(reliability.load(HELD_OUT))


def test_at_most_one_in_twenty_sure_answers_is_wrong_on_any_source(found):
    assert found.keys() == FIGURES.keys()
    assert {source: row for source, row in found.items() if row["sure_and_wrong"] > 0.05 * row["sure"]} == {}


def test_enough_answers_are_sure_to_say_so(found):
    web = [row for source, row in found.items() if source.startswith("web: ")]

    assert found["TrashNet"]["sure"] >= 400
    assert found["TrashNet"]["sure_and_wrong_at_most"] <= 0.05
    assert reliability.at_most(sum(row["sure_and_wrong"] for row in web), sum(row["sure"] for row in web)) <= 0.05


def test_wood_cloth_and_food_are_mostly_general(found):
    least = {"web: wood": 0.75, "web: textiles": 0.9, "web: organic waste": 0.9}

    assert [source for source, share in least.items() if found[source]["right"] < share] == []


def test_the_stored_figures_are_those_of_the_judgement(found):
    # Half precision moves a photo now and then over an edge.
    for source, row in found.items():
        assert row["right"] == pytest.approx(FIGURES[source]["right"], abs=0.005)
        assert row["sure"] == pytest.approx(FIGURES[source]["sure"], abs=5)


@pytest.mark.parametrize(("wrong", "answers", "most"), [(0, 59, 0.05), (2, 455, 0.014), (0, 1, 0.95), (0, 0, 1.0)])
def test_the_bound_of_wrong_answers(wrong, answers, most):
    assert reliability.at_most(wrong, answers) == pytest.approx(most, abs=0.001)


def _jpeg(image):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def test_strange_pictures_are_not_called_recyclable_with_confidence(classifier):
    # Beside the library, which takes more than a second to load.
    samples = Path(find_spec("sklearn").origin).parent / "datasets" / "images"
    wood_and_cloth = [scene(number) for number in range(SCENES, SCENES + (16 if WHOLE else 8))]
    temple_and_flower = [Image.open(samples / name) for name in ("china.jpg", "flower.jpg")]
    slope = np.linspace(0, 255, 512 * 384 * 3).reshape(384, 512, 3).astype(np.uint8)
    blank = [Image.new("RGB", (512, 384), colour) for colour in ("white", "grey", "black")]

    answers = [
        classifier.classify(_jpeg(image))
        for image in [*wood_and_cloth, *temple_and_flower, Image.fromarray(slope), *blank]
    ]

    assert [answer for answer in answers if answer.category != "general" and answer.confidence >= 0.75] == []
    general = [answer.category == "general" for answer in answers[: len(wood_and_cloth)]]
    assert sum(general) >= 0.8 * len(general)
