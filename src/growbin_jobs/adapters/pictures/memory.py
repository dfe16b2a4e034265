"""Asks for memory before a library that does worse than MemoryError where there is none."""

import mmap


def has_room(size: int) -> bool:
    """Return whether so many bytes can be had now; they are asked for, not touched, and given back.

    Of the system, and not of malloc: what that has kept free it clears for whoever asks for zeros, so that each picture
    would write some thirty megabytes that nobody needs.

    Parameters:
      size: In bytes.
    """
    try:
        mmap.mmap(-1, max(size, 1)).close()
    except (OSError, MemoryError, OverflowError):
        return False
    return True
