"""``growbin-jobs doctor`` names each fault of the table in one line with its remedy, and tries the rest as well."""

import json
import re
from collections import Counter

import pytest
from tests.doctor.faults import FAULTS, Fault
from tests.doctor.stage import SECRET, Stage
from typer.testing import CliRunner

from growbin_jobs.cli.app import app

#: What is a warning where nothing runs.
IDLE = {"workers", "schedule"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(each, id=f"{each.what}: {each.name}", marks=[pytest.mark.services] if each.servers else [])
        for each in FAULTS
    ],
)
def test_a_fault_is_named_in_one_line_with_its_remedy(stage: Stage, fault: Fault) -> None:
    env = fault.staged(stage) if callable(fault.staged) else fault.staged

    done = CliRunner().invoke(app, ["doctor", "--json"], env=dict(env))

    found = json.loads(done.stdout)
    told = [one for one in found if re.search(fault.words, one["detail"]) and one["what"] == fault.what]
    assert [one["status"] for one in told][:1] == [fault.status], [one for one in found if one["status"] != "ok"]
    assert not any("\n" in one["detail"] for one in found)
    assert {one["what"] for one in found if one["status"] == "failed"} <= {fault.what}
    assert {one["what"] for one in found if one["status"] == "warning"} - IDLE <= {fault.what}
    assert done.exit_code == (1 if fault.status == "failed" or (fault.what == "budgets" and len(told) > 1) else 0)
    assert SECRET not in done.output
    assert "check itself failed" not in done.output


def test_the_table_has_many_rows_each_once() -> None:
    assert len(FAULTS) >= 60
    assert Counter((each.what, each.name) for each in FAULTS).most_common(1)[0][1] == 1
