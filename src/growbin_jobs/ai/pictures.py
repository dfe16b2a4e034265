"""Stage 2: asks the vision model what a stored picture shows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from growbin_jobs.ai.vision import Vision
from growbin_jobs.errors import NotFound, Permanent
from growbin_jobs.messages import VisionAnswer

if TYPE_CHECKING:
    from growbin_jobs.adapters.objects import ObjectStore

#: Seconds that a presigned address is good for: longer than any call may take, and no longer than needed.
ADDRESS_EXPIRES = 600


class Pictures:
    """Fetches a stored picture, makes it as small as the model wants it, and asks.

    Parameters:
      objects: Where the pictures are.
      vision: Whom to ask.
      shrink: Makes the JPEG that the model sees.
      transport: ``data_url`` sends the picture along; ``presigned_url`` stores the small one beside the large one and
        sends its address.
    """

    def __init__(
        self,
        objects: "ObjectStore",
        vision: Vision,
        shrink: Callable[[bytes], bytes],
        *,
        transport: Literal["data_url", "presigned_url"] = "data_url",
    ) -> None:
        self._objects = objects
        self._vision = vision
        self._shrink = shrink
        self._transport = transport

    def classify(self, s3_path: str) -> tuple[VisionAnswer, str]:
        """Return what the picture shows, and the name of the model that said so.

        Parameters:
          s3_path: Address that stage 1 returned; only our own bucket is read.

        Raises:
          Permanent: ``object_missing``, and whatever the model refuses for good.
          Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        try:
            picture = self._shrink(self._objects.get(s3_path))
        except NotFound:
            raise Permanent("object_missing") from None
        address = self._publish(s3_path, picture) if self._transport == "presigned_url" else None
        seen = self._vision.answer(picture, address)
        return seen.answer, seen.model

    def _publish(self, s3_path: str, picture: bytes) -> str:
        folder = s3_path.removeprefix("s3://").partition("/")[2].rpartition("/")[0]
        key = f"{folder}/model.jpg"
        self._objects.put(key, picture, content_type="image/jpeg")
        return self._objects.presign(key, expires=ADDRESS_EXPIRES)
