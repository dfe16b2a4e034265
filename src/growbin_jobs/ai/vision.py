"""What a vision model is to the rest of the program."""

from typing import Protocol

from growbin_jobs.messages import VisionAnswer


class VisionModel(Protocol):
    """Something that says what a picture shows: a model server, or the offline classifier.

    Attributes:
      name: What an answer is marked with: ``gpt-5``, ``offline/efficientnet-lite0``.
      fingerprint: Changes whenever the same picture might be answered differently: with the prompt's version,
        the schema, the known items, the settings, the weights. It is part of the answer cache's key.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def classify(self, picture: bytes, address: str | None = None) -> VisionAnswer:
        """Say what the picture shows.

        Parameters:
          picture: An upright RGB JPEG, its larger side at most 1024 px (``GROWBIN_VISION_SIDE``).
          address: Where a model server can fetch the same picture (https), if it is not to be sent along.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        ...
