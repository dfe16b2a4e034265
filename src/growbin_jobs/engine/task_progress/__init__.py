"""How far a running message says that it is: ``progress(0.4, "thumbnail")`` in an actor, seen from any process.

A worker process keeps the latest word of each of its messages and writes them into a file of its node, at most twice a
second (``reporting``). The node's keeper copies what has changed into the central database (``table``, ``copying``).
"""
