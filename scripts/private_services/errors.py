"""What the commands report instead of a traceback."""


class ServicesError(Exception):
    """The servers cannot be had. The message is a sentence that says what to do."""


class PortTaken(Exception):
    """Somebody else took the port between our choice and the server's start: choose again."""
