"""From a promise ("at most 100 in any 60 s, as the server counts") to the parameters of a limit that keeps it.

Grants are spaced on our clock; the server counts when a request arrives. Let the time from a grant to the count vary by
at most ``spread`` seconds. Requests that the server counts within a window of W seconds were then granted within
``W + spread`` seconds, and a limit with spacing p and burst b grants at most ``b + floor((W + spread) / p)`` in that
time. The promise N is kept when ``(W + spread) / p < N - b + 1``; the use of the promise is ``W / (p × N)``.

====== ============ ===== =======================
burst  spread in s  use   spacing for 100 in 60 s
====== ============ ===== =======================
1      1            98.4% 0.6100 s
2      1            97.4% 0.6162 s
3      1            96.4% 0.6224 s
1      2            96.8% 0.6200 s
====== ============ ===== =======================

``tests/unit/limits/test_parameters.py`` proves the table by simulation.

The spread has two parts: how long a ticket may be used after its grant (``VALIDITY``), and how much the time from the
sending to the server's count varies (``SPREAD``). Together they are 1.25 s for the limits of the settings, which with
burst 1 leaves 98.0 % of the promise: room for what is lost when a process dies with a ticket in its hand.
"""

from typing import Final

#: Seconds by which the time from a sending to the server's count may vary.
SPREAD: Final = 1.0

#: Seconds after its start in which a ticket may be used. Who has to wait for the start connects before it.
VALIDITY: Final = 0.25

#: The bound is strict; this makes the spacing so much longer, relatively.
_MARGIN: Final = 1e-6


def spacing(most: float, window: float, *, burst: float = 1.0, spread: float = SPREAD) -> float:
    """Return the seconds between two units that keep a promise.

    Parameters:
      most: Units that may be counted in any window; a unit is one request, token or micro-dollar.
      window: Its length in seconds.
      burst: Units that may go at once.
      spread: Seconds by which the time from a grant to its count varies at most.

    Raises:
      ValueError: When the burst alone breaks the promise, or a number is not positive.
    """
    if not (most > 0 and window > 0 and burst > 0 and spread >= 0):
        raise ValueError("A limit needs a positive number of units, window and burst, and a spread of zero or more.")
    if burst > most:
        raise ValueError(f"A burst of {burst:g} breaks a limit of {most:g} in any window. Choose a smaller burst.")
    return (window + spread) / (most - burst + 1) * (1 + _MARGIN)


def use(most: float, window: float, *, burst: float = 1.0, spread: float = SPREAD) -> float:
    """Return which part of a promise the limit uses under full load, 0.0–1.0. Parameters as for :func:`spacing`."""
    return window / (spacing(most, window, burst=burst, spread=spread) * most)
