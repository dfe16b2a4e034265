"""For tests of your own actors: the engine's sandbox and an object store in memory."""

from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.engine.testing import DeadLetter, Run, Sandbox, Sent, sandbox

__all__ = ["DeadLetter", "MemoryStore", "Run", "Sandbox", "Sent", "sandbox"]
