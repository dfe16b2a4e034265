"""Test your own actors: no broker, no worker, no waiting.

::

    from growbin_jobs.engine.testing import sandbox

    def test_a_picture_is_analysed(photo):
        with sandbox() as box:
            upload_image.send("user-1", photo, "analysis-1")
            box.run()
        assert [sent.actor for sent in box.sent()] == ["upload_image", "analyze_image"]

Inside the block every send goes into the sandbox, whoever sends, and :meth:`Sandbox.run` runs the messages here, in
this thread, one after the other, in the order they are due. Time is the sandbox's own: a retry in an hour runs at once,
and :attr:`Sandbox.now` is an hour later. All else is as in a worker: the broker's own middleware decides on retries,
deferrals and dead letters; a message that an actor sends leaves only when the actor has returned, under the id that is
made from its parent's; arguments travel as JSON.

``run(twice=True)`` runs each message twice, as a crash may, and fails where the second run does something else.

To test against crashes of real processes, name a point of :mod:`growbin_jobs.engine.crashpoints`.
"""

from growbin_jobs.engine.testing.history import Run, SandboxDeadLetter, Sent
from growbin_jobs.engine.testing.simulation import Sandbox, sandbox

__all__ = ["Run", "Sandbox", "SandboxDeadLetter", "Sent", "sandbox"]
