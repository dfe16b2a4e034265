"""A message that was given up, as a person sends it again."""

import json
from typing import Any

#: What a message has gone through, beside its counts.
_PAST = ("deferred_since", "eta", "traceback", "requeue_timestamp", "requeues")


def rerun(body: bytes) -> bytes:
    """Return the encoded message with its retries and its waiting time counted anew, under the same id.

    A node that has seen it end knows a run by its counts (:func:`growbin_jobs.engine.delivery.runs.has_ended`). So one
    of them has to grow: that of the times it was put off, which has no limit.
    """
    message: dict[str, Any] = json.loads(body)
    options = {name: value for name, value in message["options"].items() if name not in _PAST}
    deferrals = options.get("deferrals")
    options |= {"retries": 0, "deferrals": (deferrals if isinstance(deferrals, int) else 0) + 1}
    return json.dumps(message | {"options": options}, separators=(",", ":")).encode()
