"""Decides by what a picture's colours are converted: its profile, or with all of its bits."""

from growbin_jobs.adapters.pictures.formats import curves
from growbin_jobs.adapters.pictures.formats.light import Light
from growbin_jobs.adapters.pictures.formats.primaries import Numbers


def meaning(said: bytes | Numbers | None, *, deep: bool) -> tuple[bytes | None, Light | None]:
    """Return the colour profile of a picture, None where it is sRGB; or what its numbers are as light.

    Parameters:
      said: What its file says: a profile, numbers, or nothing.
      deep: It has more than 8 bits. Where 8 are too few, its light is returned in place of its profile.
    """
    if deep and said:
        light = said.light() if isinstance(said, Numbers) else curves.light_of(said)
        if light and light.needs_all_bits():
            return None, light
    return (said.profile() if isinstance(said, Numbers) else said), None
