"""Operations: what people do to tasks, dead letters and journals. The command line and the monitor show the results.

Each function takes plain values and the ports that it needs (a journal, the table ``tasks``, a broker's ``forward``)
and returns a dataclass; :func:`growbin_jobs.operations.json_ready.as_json` makes JSON of it.
"""
