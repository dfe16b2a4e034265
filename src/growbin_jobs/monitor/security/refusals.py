"""Why a request is refused, as exceptions; :mod:`growbin_jobs.monitor.answers` shows them to people and scripts."""

from growbin_jobs.errors import GrowbinError


class Refusal(GrowbinError):
    """A request that is not served.

    Attributes:
      status: The HTTP status.
      word: Key of the sentence in the catalogues.
    """

    status = 400
    word = "refused.bad_request"

    def __init__(self, message: str = "", **values: object) -> None:
        super().__init__(message or self.word)
        self.values = values


class SignInNeeded(Refusal):
    """Nobody that we know."""

    status = 401
    word = "refused.sign_in"


class Forbidden(Refusal):
    """They may not do this.

    Attributes:
      values: The action.
    """

    status = 403
    word = "refused.forbidden"

    def __init__(self, action: str, *, read_only: bool = False) -> None:
        if read_only:
            self.word = "refused.read_only"
        super().__init__(f"not allowed: {action}", action=action)


class TooManyAttempts(Refusal):
    """Wrong passwords came too fast.

    Attributes:
      wait: Seconds until the next attempt.
    """

    status = 429
    word = "refused.too_many"

    def __init__(self, wait: float) -> None:
        super().__init__("too many attempts", seconds=max(1, round(wait)))
        self.wait = wait


class NotThere(Refusal):
    """There is no such thing, or the asker may not know of it."""

    status = 404
    word = "refused.not_there"


class OfAnotherEngine(Refusal):
    """Other engines have it, such as Growbin's, and not the one of this monitor."""

    status = 404
    word = "refused.another_engine"


class BadInput(Refusal):
    """What was sent is wrong; the message is the sentence, for people.

    Attributes:
      status: 400, or 409 when it conflicts with what somebody else has done.
    """

    word = "refused.input"

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message, sentence=message)
        self.status = status
