"""Where an error came from, without what it says: texts of errors may hold people's data."""

from __future__ import annotations

import traceback

from growbin_jobs.engine.text import well_formed

#: Errors of a chain of causes, and places of each, that are kept.
MOST_ERRORS, MOST_PLACES = 10, 50


def places(exception: BaseException | None) -> str:
    """Return the places in the code that an error and its causes came through, the first cause first.

    An actor's error is foreign data: its causes may go in a circle, and be as many as it likes.
    """
    parts: list[str] = []
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen and len(parts) < MOST_ERRORS:
        seen.add(id(exception))
        frames = traceback.format_tb(exception.__traceback__, -MOST_PLACES)
        parts.append(f"{''.join(frames)}{type(exception).__qualname__}\n")
        exception = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)
    return well_formed("\n".join(reversed(parts)))
