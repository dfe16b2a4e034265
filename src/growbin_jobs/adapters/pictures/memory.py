"""Asks for memory before a library that does worse than MemoryError where there is none."""


def has_room(size: int) -> bool:
    """Return whether so many bytes can be had now; they are asked for, not touched, and given back.

    Parameters:
      size: In bytes.
    """
    try:
        bytes(size)  # calloc; bytearray would write zeros into all of it
    except MemoryError:
        return False
    return True
