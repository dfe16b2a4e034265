"""Text that can be stored."""


def well_formed(text: str) -> str:
    """Return a text with ``?`` for each lone surrogate.

    JSON (``"\\ud800"``) and names of files bring them into strings; no database takes them.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
