"""What has become of any message of the recycling app, asked from any process.

::

    from growbin_jobs.results import result

    result("6f1c2f0e-…").state    # State.SUCCESS
    result(message).get(timeout=30)
"""

from dramatiq import Message

from growbin_jobs.engine.task_lookup import TaskAttempt
from growbin_jobs.engine.task_results import State, TaskResult, TaskRevoked
from growbin_jobs.engine.task_results import result as result_of

__all__ = ["State", "TaskAttempt", "TaskResult", "TaskRevoked", "result"]


def result(message: "Message[object] | str") -> TaskResult:
    """Return what has become of a message, for asking (:class:`growbin_jobs.engine.task_results.TaskResult`).

    Parameters:
      message: As ``send`` returned it, or its id.

    Raises:
      ConfigurationError: If a setting is wrong.
    """
    from growbin_jobs.app import broker

    return result_of(message, broker=broker)
