"""The journal of a node: what ran here, the outbox, dead letters and cached answers, in one SQLite file.

``journal`` is what a process uses. Below it: ``session`` (one for each process, with a thread of its own),
``ends``, ``writer`` and ``running_ledger``; ``tables`` has all SQL, ``file`` opens, checks and mends the file.
``docs/journal.md`` says what it promises.
"""
