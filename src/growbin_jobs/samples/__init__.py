"""Six sample pictures, for the demo and the tests: rendered by `scripts/render_samples`, see README.md here."""

from pathlib import Path

NAMES = ("pet_bottle", "aluminum_can", "glass_bottle", "cardboard_box", "newspaper", "styrofoam_tray")


def sample_pictures() -> list[Path]:
    """Return the paths of the sample pictures, in the order of NAMES."""
    folder = Path(__file__).resolve().parent
    return [folder / f"{name}.jpg" for name in NAMES]
