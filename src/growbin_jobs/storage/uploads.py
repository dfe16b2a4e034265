"""Stage 1: makes the stored JPEGs of an uploaded file."""

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from growbin_jobs.engine.threads import offload_to
from growbin_jobs.errors import Permanent, PictureRefused
from growbin_jobs.messages import StoredPicture
from growbin_jobs.picture_keys import kept_picture, model_picture, spool_key, stored_folder
from growbin_jobs.storage.sources import PictureSources

if TYPE_CHECKING:
    from growbin_jobs.adapters.objects import ObjectStore

CONTENT_TYPE: Final = "image/jpeg"
#: A key's content never changes, so whoever has it need not ask again (one year, the longest that caches honour).
CACHE_CONTROL: Final = "max-age=31536000"

#: Ids become parts of keys: no separators, no dots.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Prepared(Protocol):
    """What the service needs of a prepared picture."""

    @property
    def original(self) -> bytes: ...
    @property
    def thumbnail(self) -> bytes: ...
    @property
    def for_model(self) -> bytes: ...


class Kept(Protocol):
    """The node's cache of pictures for stage 2; it never raises."""

    @property
    def is_read(self) -> bool:
        """Whether stage 2 runs on this node."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep a picture."""
        ...

    def discard(self, key: str) -> None:
        """Forget a picture."""
        ...


class Uploads:
    """Stores pictures. Running twice for one analysis writes the same objects with the same bytes.

    Parameters:
      objects: Where the pictures go.
      sources: Where they come from.
      prepare: Makes the JPEGs of an uploaded file; called off gevent's hub.
      model_side: Largest side of the picture for the model, which is part of its key.
      threads: Pictures that are decoded at the same time.
      kept: Gets what the model sees, where stage 2 runs on this node: it then need not fetch it; None: nothing is kept.
      made: Called after each decoding, which has needed much memory for a moment.
      in_flight: Pictures that are held in memory at the same time. A gevent worker runs 1000 messages at once; read
        all together they would be gigabytes that only wait for ``threads`` decoders. Of uploaded files, which are
        several times as large as what is made of them, twice ``threads`` and four are held.
    """

    def __init__(
        self,
        objects: "ObjectStore",
        sources: PictureSources,
        prepare: Callable[[bytes], Prepared],
        *,
        model_side: int = 1024,
        threads: int = 2,
        kept: Kept | None = None,
        made: Callable[[], object] = lambda: None,
        in_flight: int = 16,
    ) -> None:
        self._objects = objects
        self._sources = sources
        self._prepare = prepare
        self._model_side = model_side
        self._threads = threads
        self._kept = kept
        self._made = made
        self._slots = threading.BoundedSemaphore(in_flight)
        self._files = threading.BoundedSemaphore(2 * threads + 4)

    def store(self, user_id: str, image_path: str, analysis_id: str) -> StoredPicture:
        """Read, check, shrink and store one picture.

        A picture that is gone from the spool is no error when it and its thumbnail are there: an earlier run stored
        them and was killed before its message was acknowledged.

        Parameters:
          user_id: 1–64 letters, digits, ``-`` and ``_``.
          image_path: See :meth:`PictureSources.read`.
          analysis_id: Like ``user_id``.

        Returns:
          The addresses of the picture and its thumbnail; what the model sees lies beside them.

        Raises:
          Permanent: An id is not valid.
          PictureRefused: The picture is not acceptable, or not where it may be.
          Transient, Deferred: The object store or the disk does not serve now.
        """
        folder = stored_folder(checked_id("user_id", user_id), checked_id("analysis_id", analysis_id))
        keys = f"{folder}/original.jpg", f"{folder}/thumbnail.jpg"
        if not isinstance(image_path, str):
            raise Permanent("request_invalid", detail="image_path must be text")
        stored = StoredPicture(s3_path=self._objects.address(keys[0]), thumbnail_path=self._objects.address(keys[1]))
        with self._slots:
            try:
                with self._files:
                    prepared = offload_to(
                        "pictures", self._threads, self._prepare, self._sources.read(image_path, user_id)
                    )
                self._made()
            except PictureRefused as refusal:
                if refusal.code == "picture_missing" and all(map(self._objects.exists, keys)):
                    return stored
                raise
            made = {keys[0]: prepared.original, keys[1]: prepared.thumbnail}
            for key, content in (made | {model_picture(keys[0], self._model_side): prepared.for_model}).items():
                self._objects.put(key, content, content_type=CONTENT_TYPE, cache_control=CACHE_CONTROL)
            if self._kept is not None and self._kept.is_read:
                self._kept.put(kept_picture(stored.s3_path, self._model_side), prepared.for_model)
        return stored

    def discard_spooled(self, user_id: str, image_path: str) -> None:
        """Delete an upload from the spool once it is stored: it still has its metadata, the place included.

        Call it last in stage 1. A run after it finds the stored objects (see :meth:`store`).
        """
        self._sources.discard(image_path, user_id)

    def discard_stored(self, user_id: str, analysis_id: str) -> None:
        """Delete all pictures of an analysis and its spooled copy; what is gone is fine."""
        folder = stored_folder(checked_id("user_id", user_id), checked_id("analysis_id", analysis_id))
        original = f"{folder}/original.jpg"
        for_model = model_picture(original, self._model_side)
        for key in (original, f"{folder}/thumbnail.jpg", for_model, spool_key(analysis_id)):
            self._objects.delete(key)
        if self._kept is not None:
            self._kept.discard(kept_picture(self._objects.address(original), self._model_side))

    def discard_refused(self, analysis_id: str) -> None:
        """Delete the copy that ``submit_analysis`` made of a picture that was refused; one that is gone is fine.

        A picture that its owner keeps, in a spool folder or under a key of their own, is left alone.
        """
        self._objects.delete(spool_key(checked_id("analysis_id", analysis_id)))


def checked_id(name: str, value: str) -> str:
    """Return an id that may be part of a key. Raises Permanent for any other."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Permanent("request_invalid", detail=f"{name} must be 1–64 letters, digits, - or _")
    return value
