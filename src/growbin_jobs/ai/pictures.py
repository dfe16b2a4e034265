"""Stage 2: asks the vision model what a stored picture shows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from growbin_jobs.ai.vision import Vision
from growbin_jobs.errors import NotFound, Permanent
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.picture_keys import kept_picture, model_picture, owner_of_stored

if TYPE_CHECKING:
    from growbin_jobs.adapters.objects import ObjectStore

#: Seconds that a presigned address is good for: longer than any call may take, and no longer than needed.
ADDRESS_EXPIRES = 600


class Kept(Protocol):
    """Keeps what stage 1 has made on this node, or a run has fetched. It may forget anything, and never raises."""

    def get(self, key: str) -> bytes | None:
        """Return what was kept, or None."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep something."""
        ...

    def discard(self, key: str) -> None:
        """Forget something."""
        ...


class ModelPictures:
    """Fetches what a vision model is to see: the picture that stage 1 has made for it, byte for byte.

    Parameters:
      objects: Where the pictures are.
      shrink: Makes what the model sees of a stored picture that has none beside it: of an earlier version of stage 1,
        or of another ``GROWBIN_VISION_SIDE``.
      side: Largest side that the model is to see, in pixels.
      kept: Has what stage 1 has made on this node, or an earlier run has fetched; None: nothing is kept.
    """

    def __init__(
        self, objects: "ObjectStore", shrink: Callable[[bytes], bytes], *, side: int, kept: Kept | None = None
    ) -> None:
        self._objects = objects
        self._shrink = shrink
        self._side = side
        self._kept = kept

    def fetch(self, s3_path: str) -> bytes:
        """Return the JPEG for the model.

        Parameters:
          s3_path: Address that stage 1 returned; only our own bucket is read.

        Raises:
          Permanent: ``object_missing``, or an address that is not valid.
          Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        if self._kept is not None and (kept := self._kept.get(kept_picture(s3_path, self._side))) is not None:
            return kept
        try:
            return self._made(s3_path) or self._shrink(self._objects.get(s3_path))
        except NotFound:
            raise Permanent("object_missing") from None

    def keep(self, s3_path: str, picture: bytes) -> None:
        """Keep what was fetched, since it will be wanted again: the run has come to nothing."""
        if self._kept is not None:
            self._kept.put(kept_picture(s3_path, self._side), picture)

    def discard(self, s3_path: str) -> None:
        """Keep nothing: the run has ended."""
        if self._kept is not None:
            self._kept.discard(kept_picture(s3_path, self._side))

    def publish(self, s3_path: str, picture: bytes) -> str:
        """Return an address where a model's server can read the picture for :data:`ADDRESS_EXPIRES` seconds."""
        key = model_picture(s3_path.removeprefix("s3://").partition("/")[2], self._side)
        if not self._objects.exists(key):
            self._objects.put(key, picture, content_type="image/jpeg")
        return self._objects.presign(key, expires=ADDRESS_EXPIRES)

    def _made(self, s3_path: str) -> bytes | None:
        if owner_of_stored(s3_path) is None:
            return None
        try:
            return self._objects.get(model_picture(s3_path, self._side))
        except NotFound:
            return None


class Pictures:
    """Fetches the picture for the model, and asks.

    Parameters:
      pictures: What the model sees.
      vision: Whom to ask.
      transport: ``data_url`` sends the picture along, ``presigned_url`` its address.
    """

    def __init__(
        self,
        pictures: ModelPictures,
        vision: Vision,
        *,
        transport: Literal["data_url", "presigned_url"] = "data_url",
    ) -> None:
        self._pictures = pictures
        self._vision = vision
        self._transport = transport

    def classify(self, s3_path: str) -> tuple[VisionAnswer, str]:
        """Return what the picture shows, and the name of the model that said so.

        Parameters:
          s3_path: Address that stage 1 returned; only our own bucket is read.

        Raises:
          Permanent: ``object_missing``, and whatever the model refuses for good.
          Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        picture = self._pictures.fetch(s3_path)
        try:
            # Beside a picture that stage 1 has not stored may lie others, and one key would be that of all of them.
            is_published = self._transport == "presigned_url" and owner_of_stored(s3_path) is not None
            address = self._pictures.publish(s3_path, picture) if is_published else None
            seen = self._vision.answer(picture, address)
        except Permanent:
            self._pictures.discard(s3_path)
            raise
        except BaseException:
            self._pictures.keep(s3_path, picture)
            raise
        self._pictures.discard(s3_path)
        return seen.answer, seen.model
