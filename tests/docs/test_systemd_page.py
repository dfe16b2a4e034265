"""The unit of docs/systemd.md fits what it starts."""

import re
from configparser import ConfigParser
from pathlib import Path

from growbin_jobs import settings
from growbin_jobs.engine.supervision.supervisor import STOP_MARGIN

PAGE = (Path(__file__).parents[2] / "docs" / "systemd.md").read_text()


class Unit(ConfigParser):
    def __init__(self):
        super().__init__(strict=False, interpolation=None, delimiters=("=",))
        self.optionxform = str


def test_the_unit_gives_a_stop_its_time_and_does_not_repeat_a_wrong_setting():
    unit = Unit()
    unit.read_string(re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)[1])
    fields = settings.Settings.model_fields
    needed = 2 * fields["shutdown_timeout"].default + fields["final_sync_timeout"].default + STOP_MARGIN

    assert needed <= int(unit["Service"]["TimeoutStopSec"]) < 2 * needed
    assert unit["Service"]["RestartPreventExitStatus"] == "78"
    assert unit["Service"]["ExecStart"].split("/")[-1] == "growbin-jobs up"
    assert unit["Service"]["StateDirectory"] in re.search(r"GROWBIN_DATA_DIR=(\S+)", PAGE)[1]
