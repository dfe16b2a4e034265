"""Formats times in the time zone of this terminal (TZ), which every view names."""

from datetime import UTC, datetime, tzinfo


def zone() -> tzinfo:
    """Return the zone that holds here now, as a fixed distance to UTC: its name fits all times that are shown."""
    return datetime.now().astimezone().tzinfo or UTC


def zone_name() -> str:
    """Return the name of the zone, such as ``KST, UTC+09:00``."""
    now = datetime.now(zone())
    name, offset = now.tzname() or "", now.strftime("%z")
    distance = f"UTC{offset[:3]}:{offset[3:5]}" if now.utcoffset() else "UTC"
    return distance if name.startswith(("+", "-")) or name == distance else f"{name}, {distance}"


def local(at: float | datetime, digits: int = 0) -> str:
    """Return date and time in this zone.

    Parameters:
      at: Seconds since 1970, UTC; or an aware time.
      digits: 3 shows milliseconds.
    """
    try:
        moment = (at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)).astimezone(zone())
    except (ValueError, OverflowError, OSError):  # no calendar has such a day
        return str(at)
    return moment.isoformat(" ", timespec="milliseconds" if digits else "seconds")[: 23 if digits else 19]
