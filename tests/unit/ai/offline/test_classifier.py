"""The classifier as the AI group uses it."""

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import run_python

from growbin_jobs.ai.offline.__main__ import main
from growbin_jobs.ai.offline.classifier import OfflineClassifier
from growbin_jobs.ai.offline.head import Head, load_head
from growbin_jobs.ai.offline.labels import OFFLINE_ITEMS
from growbin_jobs.ai.vision import VisionModel
from growbin_jobs.errors import PictureRefused
from growbin_jobs.messages import VisionAnswer

PHOTOS = Path(__file__).resolve().parents[5] / "shared/photos"
RULES = Path(__file__).resolve().parents[4] / "rules"
#: The head has seen these photos, so this is no measure of the classifier (that is docs/offline-classifier.md);
#: it shows that the weights, the code and the head still belong together.
EXPECTED = 0.9


def test_is_a_vision_model(classifier):
    model: VisionModel = classifier

    assert model.name == "offline/efficientnet-lite0"
    assert len(model.fingerprint) == 16


@pytest.mark.parametrize(
    "folder", ["general/trash", "glass/glass", "metal/metal", "paper/cardboard", "paper/paper", "plastic/plastic"]
)
def test_photos_are_put_in_their_category(classifier, folder):
    photos = sorted((PHOTOS / "train" / folder).glob("*.jpg"))[::5][:10]

    answers = [classifier.classify(photo.read_bytes()) for photo in photos]

    assert len(photos) == 10
    assert sum(answer.category == folder.split("/")[0] for answer in answers) >= EXPECTED * len(photos)


@pytest.mark.parametrize("name", ["onnxruntime", "numpy"])
def test_answers_are_announced_and_say_that_the_state_is_unknown(classifiers, sample_jpegs, name):
    for data in sample_jpegs.values():
        answer = classifiers[name].classify(data)

        assert VisionAnswer.model_validate(answer.model_dump()) == answer
        assert answer.item in OFFLINE_ITEMS
        assert answer.state == "mixed"
        assert answer.confidence <= 0.8


def test_both_runtimes_answer_alike(classifiers, sample_jpegs):
    for data in sample_jpegs.values():
        answers = [classifier.classify(data) for classifier in classifiers.values()]

        assert len({answer.item for answer in answers}) == 1
        assert answers[0].confidence == pytest.approx(answers[1].confidence, abs=0.002)


def test_threads_get_the_same_answers_as_one_caller(classifier, sample_jpegs):
    pictures = list(sample_jpegs.values()) * 2
    alone = [classifier.classify(data) for data in pictures]

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(classifier.classify, pictures))

    assert together == alone


def test_a_refused_picture_gives_its_turn_back(classifier, sample_jpegs):
    for _ in range(64):
        with pytest.raises(PictureRefused):
            classifier.classify(b"no picture")

    assert classifier.classify(sample_jpegs["cardboard_box"]).category == "paper"


@pytest.mark.parametrize("kind", ["noise", "stripes"])
def test_what_is_no_photo_of_waste_is_general(classifier, kind):
    noise = np.random.default_rng(3).integers(0, 256, (384, 512, 3), dtype=np.uint8)
    stripes = np.zeros((384, 512, 3), np.uint8)
    stripes[:, ::16] = stripes[::16] = (0, 90, 255)
    out = io.BytesIO()
    Image.fromarray(noise if kind == "noise" else stripes).save(out, "JPEG")

    answer = classifier.classify(out.getvalue())

    assert answer.item == "general"
    assert answer.confidence < 0.5


def test_the_fingerprint_follows_the_head(runtimes):
    head = load_head()
    other = Head(head.items, head.weight, head.bias, head.mean, head.precision, fingerprint="another")

    same = OfflineClassifier(runtimes["numpy"], load_head()).fingerprint

    assert OfflineClassifier(runtimes["onnxruntime"], head).fingerprint == same
    assert OfflineClassifier(runtimes["numpy"], other).fingerprint != same


def test_every_item_has_a_rule():
    assert [item for item in OFFLINE_ITEMS if not (RULES / f"{item}.json").is_file()] == []


@pytest.mark.parametrize("module", ["numpy", "PIL"])
def test_a_missing_extra_says_what_to_install(module):
    code = f"import sys; sys.modules[{module!r}] = None; import growbin_jobs.ai.offline.classifier"

    run = run_python([sys.executable, "-c", code], text=True)

    assert f"ConfigurationError: The offline classifier needs {module}. Install it with" in run.stderr
    assert "OPENAI_API_KEY" in run.stderr


def test_the_module_shows_what_it_sees(sample_jpegs, tmp_path, monkeypatch, capsys):
    photo = tmp_path / "bottle.jpg"
    photo.write_bytes(sample_jpegs["pet_bottle"])

    monkeypatch.setattr(sys, "argv", ["offline", "--json", str(photo)])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["category"] == "plastic"

    monkeypatch.setattr(sys, "argv", ["offline", str(photo)])
    assert main() == 0
    assert capsys.readouterr().out.startswith("bottle.jpg: plastic/")

    photo = photo.rename(tmp_path / "\x1b[31m\udcff.jpg")  # a name that a terminal would obey, and none of Unicode
    for options in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["offline", *options, str(photo)])
        assert main() == 0
        assert capsys.readouterr().out.replace("\n", "").isprintable()


def test_the_module_says_what_is_wrong_with_a_photo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["offline", str(tmp_path / "gone.jpg")])

    assert main() == 1
    assert "gone.jpg" in capsys.readouterr().err
