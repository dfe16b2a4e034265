"""The table ``charged_ledger``: ledgers of dead processes whose crashes were counted."""

from __future__ import annotations

import apsw


def charge_once(connection: apsw.Connection, name: str, *, now: float) -> bool:
    """Return True to the first who asks for a ledger, in all processes. Inside the transaction that counts its crashes.

    Parameters:
      name: Of the ledger.
      now: Seconds since 1970, UTC.
    """
    connection.execute("INSERT INTO charged_ledger VALUES (?, ?) ON CONFLICT DO NOTHING", (name, now))
    return connection.changes() > 0


def deaths_since(connection: apsw.Connection, moment: float) -> int:
    """Return how many worker processes of this node were found dead since.

    Parameters:
      moment: Seconds since 1970, UTC.
    """
    n: int = connection.execute("SELECT count(*) FROM charged_ledger WHERE charged_at > ?", (moment,)).get
    return n
