"""How a child tells its supervisor that it works: it writes a byte to a descriptor that its command names."""

from __future__ import annotations

from collections.abc import Sequence

#: In an argument of a command: stands for the number of that descriptor.
READY = "{ready}"


def naming(command: Sequence[str], descriptors: Sequence[int]) -> list[str]:
    """Return a command with the number of its descriptor.

    Parameters:
      command: With or without :data:`READY`.
      descriptors: That its process has; at most one.
    """
    return [argument.replace(READY, str(descriptors[0])) if descriptors else argument for argument in command]
