"""What computing time processes took: it says more than seconds where other work keeps the machine busy."""

from collections.abc import Callable

import psutil

from growbin_jobs.engine.central.database import Database


def computing_of(database: Database, *pids: int) -> Callable[[], float]:
    """Return what tells the seconds of computing time that a local PostgreSQL and some processes have taken so far.

    Parameters:
      database: Of that server.
      pids: Of the processes beside it.
    """
    [(backend,)] = database.run(lambda connection: connection.execute_sql("SELECT pg_backend_pid()")).fetchall()
    server = psutil.Process(backend).parent()
    assert server is not None
    others = [psutil.Process(pid) for pid in pids]
    seen: dict[int, float] = {}

    def taken() -> float:
        # A backend that has ended keeps what it was seen to have taken.
        for process in (*server.children(), *others):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seen[process.pid] = times.user + times.system
        return sum(seen.values())

    return taken
