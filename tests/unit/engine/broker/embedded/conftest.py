import pytest

from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState


@pytest.fixture
def a_dead_end():
    """Make the end of a message that was given up."""

    def make(task_id: str) -> Finish:
        dead = Dead(body=b"{}", code="worker_killed", params="{}", error="e", traceback="", died_at=1.0)
        return Finish(
            task_id=task_id, task_name="a", queue_name="q", payload="{}", state=TaskState.DEAD, worker="w",
            started_at=1.0, completed_at=1.0, dead=dead,
        )  # fmt: skip

    return make
