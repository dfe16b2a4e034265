"""For tests of your own actors: the engine's sandbox and an object store in memory."""

from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.engine.testing import Run, Sandbox, SandboxDeadLetter, Sent, sandbox

__all__ = ["MemoryStore", "Run", "Sandbox", "SandboxDeadLetter", "Sent", "sandbox"]
