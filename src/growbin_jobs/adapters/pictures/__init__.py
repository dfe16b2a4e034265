"""Uploaded pictures: checks them and makes small, upright JPEGs without metadata.

Two steps, one file each::

    bytes ── guard.inspect ──> Accepted ── resize.prepare ──> PreparedPicture (picture and thumbnail)
               │ formats.*  walks the container: size, scans, orientation, colour profile; drops the rest
               └ limits     judged on those facts, before a single pixel is decoded

The form of a picture, its size and shape, is judged there and only there: what is stored is never refused by
:func:`shrink`, which makes what the model of stage 2 sees.

Pillow sees a picture only after that, and never its metadata. Whatever the bytes are, the outcome is a picture or
:class:`~growbin_jobs.errors.PictureRefused` with a sentence for the person who sent it.
"""

from growbin_jobs.adapters.pictures.guard import DEFAULT_LIMITS, MAX_STORED_SIDE, STORED_LIMITS, Limits
from growbin_jobs.adapters.pictures.resize import PreparedPicture, prepare, shrink

__all__ = ["DEFAULT_LIMITS", "MAX_STORED_SIDE", "STORED_LIMITS", "Limits", "PreparedPicture", "prepare", "shrink"]
