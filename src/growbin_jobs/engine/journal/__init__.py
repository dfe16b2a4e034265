"""What this node did and still owes, in a SQLite file of its own, and the answers that it paid for.

``journal`` is what a process uses: ``session`` (one for each process) with ``writer`` (whatever happens to the file),
``starts`` (who runs what) and ``confirmations``. In SQL, on a connection: ``tasks``, ``outbox``, ``retries``,
``dead_letters``, ``changes``, ``sync_log``, ``prune`` and ``reader``, on the tables of ``schema``. The file itself:
``files``, ``quarantine``, ``ballast``. Shared with the embedded broker: ``sqlite``, ``committer``, ``owners``,
``forks``. One keeper a node uses ``sync``, ``election`` and ``presence``. ``docs/journal.md`` says what it promises.
"""
