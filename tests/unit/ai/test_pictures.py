"""Stage 2 sends what stage 1 has made for the model, and fetches it once."""

import io
from contextlib import nullcontext

import pytest
from PIL import Image

from growbin_jobs.adapters.file_cache import FileCache
from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.adapters.pictures import prepare, shrink
from growbin_jobs.ai.pictures import ModelPictures, Pictures
from growbin_jobs.ai.vision import Seen
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.picture_keys import kept_picture, model_picture

ANSWER = VisionAnswer(category="paper", item="paper", state="clean", confidence=0.5)
KEY = "uploads/u1/a1/original.jpg"


class Vision:
    """Remembers what it saw, and raises what it is told to."""

    def __init__(self, *errors):
        self.errors, self.saw = list(errors), []

    def answer(self, picture, address=None):
        self.saw.append(picture)
        if self.errors:
            raise self.errors.pop()
        return Seen(ANSWER, "m", False)


class Counting(MemoryStore):
    def __init__(self):
        super().__init__("growbin")
        self.gets = []

    def get(self, address_or_key, *, max_bytes=None):
        self.gets.append(address_or_key)
        return super().get(address_or_key, max_bytes=max_bytes)


@pytest.fixture
def stored():
    """A store after stage 1, and what it has made."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((1300, 1100)).save(file, "PNG")
    made = prepare(file.getvalue())
    objects = Counting()
    objects.put(KEY, made.original, content_type="image/jpeg")
    objects.put(model_picture(KEY, 1024), made.for_model, content_type="image/jpeg")
    return objects, made


def never(_data):
    raise AssertionError("nothing is decoded in stage 2")


def test_the_model_sees_the_bytes_of_stage_1_and_nothing_is_decoded(stored):
    objects, made = stored
    vision = Vision()
    assert max(Image.open(io.BytesIO(made.for_model)).size) == 1024

    assert Pictures(ModelPictures(objects, never, side=1024), vision).classify(objects.address(KEY)) == (ANSWER, "m")
    assert vision.saw == [made.for_model]
    assert len(objects.gets) == 1


@pytest.mark.parametrize(("side", "key"), [(512, KEY), (1024, "pictures/mine.jpg")])
def test_a_picture_that_has_none_for_this_side_is_shrunk(stored, side, key):
    objects, made = stored
    objects.put("pictures/mine.jpg", made.original, content_type="image/jpeg")
    vision = Vision()
    pictures = ModelPictures(objects, lambda data: shrink(data, side=side), side=side)

    Pictures(pictures, vision).classify(objects.address(key))
    assert max(Image.open(io.BytesIO(vision.saw[0])).size) == side


@pytest.mark.parametrize("error", [Transient("no"), Deferred("later", wait=1.0), KeyboardInterrupt()])
def test_a_run_that_comes_again_fetches_nothing_again(stored, tmp_path, error):
    objects, made = stored
    kept = FileCache(tmp_path / "task_queue.db", tmp_path / "files", ttl=60, most=10**6)
    vision = Vision(error)
    pictures = Pictures(ModelPictures(objects, never, side=1024, kept=kept), vision)
    with pytest.raises(type(error)):
        pictures.classify(objects.address(KEY))
    del objects.gets[:]

    pictures.classify(objects.address(KEY))
    assert vision.saw == [made.for_model] * 2
    assert objects.gets == []


def test_a_run_that_ended_keeps_nothing(stored, tmp_path):
    objects, _ = stored
    kept = FileCache(tmp_path / "task_queue.db", tmp_path / "files", ttl=60, most=10**6)
    vision = Vision(Permanent("model_refused"))
    pictures = Pictures(ModelPictures(objects, never, side=1024, kept=kept), vision)
    with pytest.raises(Permanent):
        pictures.classify(objects.address(KEY))
    pictures.classify(objects.address(KEY))
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("error", [None, Permanent("model_refused")])
def test_what_stage_1_has_kept_on_this_node_is_not_fetched_and_goes_when_the_run_has_ended(stored, tmp_path, error):
    objects, made = stored
    kept = FileCache(tmp_path / "task_queue.db", tmp_path / "files", ttl=60, most=10**6)
    kept.put(kept_picture(objects.address(KEY), 1024), made.for_model)
    vision = Vision(*([error] if error else []))
    with pytest.raises(Permanent) if error else nullcontext():
        Pictures(ModelPictures(objects, never, side=1024, kept=kept), vision).classify(objects.address(KEY))

    assert vision.saw == [made.for_model]
    assert objects.gets == []
    assert list((tmp_path / "files").iterdir()) == []


def test_what_stage_1_has_kept_for_another_side_is_not_taken(stored, tmp_path):
    objects, made = stored
    kept = FileCache(tmp_path / "task_queue.db", tmp_path / "files", ttl=60, most=10**6)
    kept.put(kept_picture(objects.address(KEY), 512), b"another")
    vision = Vision()
    Pictures(ModelPictures(objects, never, side=1024, kept=kept), vision).classify(objects.address(KEY))
    assert vision.saw == [made.for_model]


def test_a_picture_that_is_gone_is_permanent(stored):
    objects, _ = stored
    with pytest.raises(Permanent) as missing:
        Pictures(ModelPictures(objects, never, side=1024), Vision()).classify("s3://growbin/uploads/u1/a2/original.jpg")
    assert missing.value.code == "object_missing"


def test_only_what_stage_1_has_stored_is_published(stored):
    """Two pictures in one folder would have one address, and a model would be shown the other one."""
    objects, made = stored
    objects.put("pictures/mine.jpg", made.original, content_type="image/jpeg")
    objects.presign = lambda key, *, expires: f"https://objects/{key}"
    vision, asked = Vision(), []
    pictures = Pictures(ModelPictures(objects, shrink, side=1024), vision, transport="presigned_url")
    vision.answer = lambda _picture, address: asked.append(address) or Seen(ANSWER, "m", False)

    pictures.classify(objects.address("pictures/mine.jpg"))
    pictures.classify(objects.address(KEY))

    assert asked == [None, f"https://objects/{model_picture(KEY, 1024)}"]
    assert not objects.exists("pictures/model-1024.jpg")
