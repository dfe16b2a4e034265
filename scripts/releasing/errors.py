"""The one error of a release."""


class ReleaseError(Exception):
    """Something is not as a release needs it; the message says what to do."""
