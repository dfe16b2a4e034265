"""Whose next picture waits behind those of others."""

from types import SimpleNamespace

import pytest

from growbin_jobs.storage.bootstrap import Services


@pytest.mark.parametrize(("unfinished", "bulk"), [(0, False), (20, False), (21, True)])
def test_a_user_with_many_analyses_under_way_waits_behind_others(unfinished, bulk):
    asked = []

    def count(user_id, *, most):
        asked.append((user_id, most))
        return min(unfinished, most)

    analyses = SimpleNamespace(unfinished=count)
    here = Services(
        uploads=None,
        rulebook=None,
        failures=None,
        analyses=analyses,
        completions=None,
        ownership=None,
        bulk_after=20,
        weekly_reports=None,
        report_pages=None,
    )

    assert here.is_bulk("u1") is bulk
    assert asked == [("u1", 21)]
