"""Rehearses a model: past pictures go through it, its answers are compared with those of then, and nothing is changed.

What was answered then is no truth; a rehearsal tells how much would change, what it costs, and how long it takes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.models.analysis import Analysis

#: Requests that are in flight at the same time.
THREADS: Final = 4

#: Times that a picture is tried, and seconds that it waits in all for limits and outages.
_TRIES, _PATIENCE = 2, 300.0


@dataclass(frozen=True, slots=True)
class Tried:
    """One picture.

    Attributes:
      analysis: As it was answered then.
      answer: What the rehearsed model says; None where it gave no answer.
      problem: Why: the code of an error or its class. ``object_missing``: the picture is no longer there.
    """

    analysis: Analysis
    answer: VisionAnswer | None
    problem: str | None = None


def spread(analyses: Iterable[Analysis], count: int) -> list[Analysis]:
    """Return a sample of analyses that a model server has answered: all categories in turn, the newest of each first.

    Parameters:
      analyses: The newest first.
      count: Most that are taken.
    """
    by_category: dict[str, list[Analysis]] = defaultdict(list)
    for analysis in analyses:
        asked = analysis.vision_model is not None and not analysis.vision_model.startswith("offline/")
        if asked and analysis.category and analysis.s3_path:
            by_category[analysis.category].append(analysis)
    columns = [by_category[name] for name in sorted(by_category)]
    rows = max(map(len, columns), default=0)
    return [column[row] for row in range(rows) for column in columns if row < len(column)][:count]


def try_all(
    sample: Sequence[Analysis],
    look: Callable[[Analysis], VisionAnswer],
    *,
    tell: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Tried]:
    """Let a model look at each picture.

    Parameters:
      sample: Whose pictures.
      look: Fetches a picture and asks.
      tell: Is told how many are done.
      sleep: Waits so many seconds.
    """
    tried = []
    with ThreadPoolExecutor(THREADS) as pool:
        for one in pool.map(lambda analysis: _try(analysis, look, sleep), sample):
            tried.append(one)
            tell(len(tried))
    return tried


def _try(analysis: Analysis, look: Callable[[Analysis], VisionAnswer], sleep: Callable[[float], None]) -> Tried:
    tries, waited = 0, 0.0
    while True:
        try:
            return Tried(analysis, look(analysis))
        except Deferred as error:
            if waited >= _PATIENCE:
                return Tried(analysis, None, "deferred")
            wait = min(max(error.wait, 1.0), _PATIENCE - waited)
            waited += wait
            sleep(wait)
        except Transient as error:
            tries += 1
            if tries >= _TRIES:
                return Tried(analysis, None, error.final_code)
        except Permanent as error:
            return Tried(analysis, None, error.code)
        except GrowbinError as error:
            return Tried(analysis, None, type(error).__name__)
