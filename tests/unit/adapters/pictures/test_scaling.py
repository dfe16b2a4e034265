"""Both ways of making a picture smaller give the picture that LANCZOS gives, one nearly and one exactly."""

import io
import math
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import PIL
import pytest
from PIL import Image, ImageChops, ImageStat

from growbin_jobs.adapters.pictures import prepare, scaling, shrink

SIMD, PILLOW = "simd", "pillow"


@pytest.fixture(params=[SIMD, PILLOW])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with the package and without it."""
    if request.param == SIMD:
        pytest.importorskip("cykooz_resizer", reason="has no wheels for this machine", exc_type=ModuleNotFoundError)
    else:
        monkeypatch.setattr(scaling, "_simd", lambda: None)
    return str(request.param)


def decibels(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two pictures."""
    squares = ImageStat.Stat(ImageChops.difference(one, other)).sum2
    return 10 * math.log10(255**2 * one.width * one.height * len(squares) / max(1, sum(squares)))


def photo(hostile: ModuleType, mode: str = "RGB") -> Image.Image:
    """A scene with edges and noise."""
    picture: Image.Image = hostile.scene(816, 612)
    noise = Image.frombytes("L", (408, 306), random.Random(1).randbytes(408 * 306)).resize(picture.size)
    return Image.blend(picture, noise.convert("RGB"), 0.2).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "LA", "RGBA"])
@pytest.mark.parametrize("size", [(512, 384), (300, 225), (1, 612), (816, 1)])
def test_it_is_the_picture_of_lanczos(hostile: ModuleType, way: str, mode: str, size: tuple[int, int]) -> None:
    whole = photo(hostile, mode)
    expected = whole.resize(size, Image.Resampling.LANCZOS)
    for smaller in (scaling.scaled(whole, size), scaling.scaled(whole, size, sharp=True)):
        assert (smaller.mode, smaller.size) == (mode, size)
        assert decibels(smaller, expected) > (48 if way == SIMD and mode in ("L", "RGB", "CMYK") else 28)


def test_prepared_pictures_are_alike(hostile: ModuleType, way: str) -> None:
    buffer = io.BytesIO()
    photo(hostile).save(buffer, "JPEG", quality=92)
    prepared = prepare(buffer.getvalue(), side=700, model_side=512, thumbnail_side=200)
    for data, side in ((prepared.original, 700), (prepared.for_model, 512), (prepared.thumbnail, 200)):
        seen = Image.open(io.BytesIO(data))
        assert max(seen.size) == side
        assert decibels(seen.convert("RGB"), photo(hostile).resize(seen.size, Image.Resampling.LANCZOS)) > 26
    assert prepare(buffer.getvalue(), side=700, model_side=512, thumbnail_side=200) == prepared
    assert max(Image.open(io.BytesIO(shrink(buffer.getvalue(), side=512))).size) == 512


def test_threads_do_not_meet(hostile: ModuleType, way: str) -> None:
    pictures = [photo(hostile).rotate(90 * number, expand=True) for number in range(4)]
    alone = [scaling.scaled(picture, (300, 300)).tobytes() for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(
            threads.map(lambda number: scaling.scaled(pictures[number % 4], (300, 300)).tobytes(), range(64))
        )
    assert together == alone * 16


def test_a_pillow_that_the_package_does_not_know_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling._simd.cache_clear()
    monkeypatch.setattr(PIL, "__version__", "14.0.0")
    assert scaling._simd() is None
    scaling._simd.cache_clear()


def test_the_installed_pillow_is_known() -> None:
    """Else pictures cost half as much again, and nothing would say so."""
    assert PIL.__version__.partition(".")[0] in scaling._KNOWN_PILLOWS


def test_it_is_loaded_with_the_first_picture_only() -> None:
    code = "import sys, growbin_jobs.adapters.pictures; assert 'cykooz_resizer' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


LITTLE_MEMORY = """
import resource
from PIL import Image
from growbin_jobs.adapters.pictures import scaling

picture, ends = Image.new("RGB", (4000, 3000)), set()
picture.resize((50, 50))  # Pillow is loaded, the package is not
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
for megabytes in range(0, 120, 3):
    resource.setrlimit(resource.RLIMIT_AS, (now + megabytes * 1_000_000, resource.RLIM_INFINITY))
    try:
        scaling.scaled(picture, (2048, 1536))
        ends.add("done")
    except MemoryError:
        ends.add("MemoryError")
print(sorted(ends))
"""


def test_where_memory_is_short_the_process_lives_on() -> None:
    """The package ends it where one of its own allocations fails."""
    pytest.importorskip("cykooz_resizer", reason="has no wheels for this machine", exc_type=ModuleNotFoundError)
    done = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "['MemoryError', 'done']"), done.stderr
