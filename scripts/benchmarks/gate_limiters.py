"""The limiters of ``scripts/bench gate``: ours, and others where they are installed. Each is asked by a function."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.gate_guards import ours_all_guards

#: Asks for one request now; True: granted.
Ask = Callable[[], bool]


def ours(address: str, most: int, window: float) -> Ask:
    """Our store on PostgreSQL or SQLite; each question takes two limits, as a request of the pipeline does."""
    from growbin_jobs.engine.central.opening import open_database
    from growbin_jobs.limits.gcra import Limit
    from growbin_jobs.limits.parameters import spacing
    from growbin_jobs.limits.sql import SqlLimits

    url = address if address.startswith("postgresql://") else None
    store = SqlLimits(open_database(url, default_path=Path(address), pool_size=8, timeout=30))
    store.ensure([Limit("vision", spacing(most, window), 1), Limit("project", spacing(10 * most, window), 1)])
    costs = {"vision": 1.0, "project": 1.0}
    return lambda: store.take(costs).decision.granted


def limits_moving_window(address: str, most: int, window: float) -> Ask:
    """``limits`` on Redis, with its exact strategy."""
    from limits import RateLimitItemPerSecond
    from limits.storage import RedisStorage
    from limits.strategies import MovingWindowRateLimiter

    limiter, item = MovingWindowRateLimiter(RedisStorage(address)), RateLimitItemPerSecond(most, round(window))
    return lambda: limiter.hit(item, "vision")


def limits_fixed_window(address: str, most: int, window: float) -> Ask:
    """``limits`` on Redis, with its fastest strategy."""
    from limits import RateLimitItemPerSecond
    from limits.storage import RedisStorage
    from limits.strategies import FixedWindowRateLimiter

    limiter, item = FixedWindowRateLimiter(RedisStorage(address)), RateLimitItemPerSecond(most, round(window))
    return lambda: limiter.hit(item, "vision")


def pyrate_redis(address: str, most: int, window: float) -> Ask:
    """``pyrate-limiter`` on Redis."""
    from pyrate_limiter import Limiter, Rate, RedisBucket
    from redis import Redis

    limiter = Limiter(RedisBucket.init([Rate(most, round(window * 1000))], Redis.from_url(address), f"vision_{most}"))
    return lambda: bool(limiter.try_acquire("vision", blocking=False))


def pyrate_postgresql(address: str, most: int, window: float) -> Ask:
    """``pyrate-limiter`` on PostgreSQL."""
    from psycopg_pool import ConnectionPool
    from pyrate_limiter import Limiter, PostgresBucket, Rate

    pool = ConnectionPool(address, min_size=1, max_size=8, open=True)
    limiter = Limiter(PostgresBucket(pool, f"vision_{most}", [Rate(most, round(window * 1000))]))
    return lambda: bool(limiter.try_acquire("vision", blocking=False))


LIMITERS: dict[str, Callable[[str, int, float], Ask]] = {
    "ours on PostgreSQL": ours,
    "ours on SQLite": ours,
    "ours, all guards, PostgreSQL": ours_all_guards,
    "ours, all guards, SQLite": ours_all_guards,
    "limits, moving window, Redis": limits_moving_window,
    "limits, fixed window, Redis": limits_fixed_window,
    "pyrate-limiter, Redis": pyrate_redis,
    "pyrate-limiter, PostgreSQL": pyrate_postgresql,
}
