"""Makes a picture smaller: by SIMD where the extra ``simd`` is installed, else by Pillow, which has none.

cykooz-resizer reads and writes the rows of Pillow's own pictures, so it must know how this Pillow lays them out in
memory.
"""

import importlib.util
from functools import lru_cache
from typing import Any, Final

import PIL
from PIL import Image

from growbin_jobs.adapters.pictures.memory import has_room

#: Pillow's major versions whose layout cykooz-resizer 4 knows; what it does with any other one is not known.
_KNOWN_PILLOWS: Final = frozenset({"12", "13"})

#: Modes that it takes as they are. Those with alpha are rare, and Pillow weighs their colours by it.
_MODES: Final = frozenset({"L", "RGB", "CMYK"})

#: Bytes of its weights and small objects at most.
_SIMD_ROOM: Final = 16_000_000


def scaled(image: Image.Image, size: tuple[int, int], *, sharp: bool = False) -> Image.Image:
    """Return the picture in a smaller size: by LANCZOS with SIMD, else by HAMMING, half as dear as Pillow's LANCZOS.

    Parameters:
      image: L, LA, RGB, RGBA or CMYK.
      size: In pixels.
      sharp: By LANCZOS in any case; the size is much smaller.

    Raises:
      MemoryError: There is none for it.
    """
    if image.mode in _MODES and (simd := _simd_if_it_loads()) is not None:
        return _by_simd(simd, image, size)
    if sharp:
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.5)
    return image.resize(size, Image.Resampling.HAMMING)


def _by_simd(simd: Any, image: Image.Image, size: tuple[int, int]) -> Image.Image:
    result = Image.new(image.mode, size)
    # Where an allocation fails it ends the whole process. It keeps the picture of its first pass, which changes one of
    # the sides; twice that, for what another thread may take meanwhile.
    first_pass = max(size[0] * image.height, image.width * size[1]) * (1 if image.mode == "L" else 4)
    if not has_room(2 * first_pass + _SIMD_ROOM):
        raise MemoryError("no memory to make a picture smaller")
    # One of its own: it locks, and keeps the memory of its largest picture.
    simd.Resizer().resize_pil(image, result, simd.ResizeOptions(simd.ResizeAlg.convolution(simd.FilterType.lanczos3)))
    return result


def _simd_if_it_loads() -> Any:
    try:
        return _simd()
    except ImportError:  # so the linker says that there is no memory. Pillow needs less; the next picture tries again
        return None


@lru_cache(maxsize=1)
def _simd() -> Any:
    """Return the package; None where it is not installed, or does not know this Pillow.

    Raises:
      ImportError: It cannot be loaded now; nothing of that is kept.
    """
    if PIL.__version__.partition(".")[0] not in _KNOWN_PILLOWS or importlib.util.find_spec("cykooz_resizer") is None:
        return None
    import cykooz_resizer

    return cykooz_resizer
