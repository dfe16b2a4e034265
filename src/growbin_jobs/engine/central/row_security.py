"""Finds tables whose rows PostgreSQL hides from a user by row level security, which no right shows."""

from collections.abc import Sequence
from typing import Any, Final

#: Tables without a policy that permits this user one of the four commands (select, insert, update, delete).
_HIDDEN: Final = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE to_regclass(name) IS NOT NULL AND row_security_active(to_regclass(name)) AND EXISTS (
  SELECT FROM unnest(ARRAY['r', 'a', 'w', 'd']) AS command WHERE NOT EXISTS (
    SELECT FROM pg_policy CROSS JOIN unnest(polroles) AS role
    WHERE polrelid = to_regclass(name) AND polpermissive AND polcmd::text IN ('*', command)
      AND CASE role WHEN 0 THEN true ELSE pg_has_role(role, 'USAGE') END))
ORDER BY name
"""


def remedies(connection: Any, names: Sequence[str]) -> list[str]:
    """Return the statements by which their owner shows this user the rows of tables; none where it sees them."""
    hidden = connection.execute_sql(_HIDDEN, (list(names),)).fetchall()
    return [f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY" for (name,) in hidden]
