"""The central database: what the whole cluster knows about each analysis. PostgreSQL, or a SQLite file when embedded.

``database`` lends connections (``postgres`` and ``sqlite`` open them, ``pool`` bounds them), ``upgrade`` keeps the
schema (``migrations/``), and each other module holds one aggregate: its peewee model, the view that leaves the
room, and the repository that is the only writer of its table.
"""
