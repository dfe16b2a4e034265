"""What identifies an answer."""

from typing import NamedTuple


class Question(NamedTuple):
    """What identifies an answer.

    Attributes:
      key: Digest of everything that decides the answer: model, prompt, schema, sampling, picture or text.
      prompt: The prompt's version, with a digest of what else decides; never the picture.
      model: The model's name.
    """

    key: str
    prompt: str
    model: str
