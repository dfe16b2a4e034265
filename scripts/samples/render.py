"""Render the sample pictures: `blender -b -P scripts/samples/render.py -- --out DIR`.

Everything is made here from numbers, nothing is loaded; the same version of Blender renders the same pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(FOLDER))


@dataclass(frozen=True, slots=True)
class Shot:
    """How one picture is taken (light paths a pixel, in each of two renderings) and stored."""

    seed: int
    samples: int
    portrait: bool = False
    gps: bool = False


SHOTS = {
    "pet_bottle": Shot(seed=1, samples=16),
    "aluminum_can": Shot(seed=2, samples=12, gps=True),
    "glass_bottle": Shot(seed=3, samples=16, portrait=True),
    "cardboard_box": Shot(seed=4, samples=16),
    "newspaper": Shot(seed=5, samples=8, gps=True),
    "styrofoam_tray": Shot(seed=6, samples=8),
}


def render(name: str, out: Path, size: tuple[int, int], samples: int | None, threads: int) -> Path:
    """Render one picture and write its JPEG.

    Parameters:
        name: a key of SHOTS, and the module that builds the scene.
        out: the folder to write to.
        size: width and height in pixels, of the wide way; portraits are turned.
        samples: instead of the shot's own.
        threads: of the renderer.

    Returns:
        the JPEG's path.
    """
    import photo
    import scene

    shot = SHOTS[name]
    wide, high = size
    with tempfile.TemporaryDirectory() as folder:
        scene.clear(samples or shot.samples, (high, wide) if shot.portrait else (wide, high), threads)
        import_module(name).build(Path(folder))
        rendering = scene.shoot(Path(folder), shot.seed)
        path = out / f"{name}.jpg"
        orientation = photo.ON_ITS_SIDE if shot.portrait else photo.UPRIGHT
        photo.store(photo.develop(rendering, shot.seed), path, orientation, shot.gps)
    return path


def main(arguments: list[str]) -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(prog="render.py", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the JPEGs")
    parser.add_argument("--only", choices=sorted(SHOTS), action="append", help="render this one; may be given again")
    parser.add_argument("--size", default="1600x1200", help="pixels, wide way (default 1600x1200)")
    parser.add_argument("--samples", type=int, help="light paths a pixel, twice (default: by picture)")
    parser.add_argument("--threads", type=int, default=2, help="of the renderer (default 2)")
    options = parser.parse_args(arguments)
    wide, high = (int(side) for side in options.size.split("x"))
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only or SHOTS:
        print(f"wrote {render(name, options.out, (wide, high), options.samples, options.threads)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else [])
