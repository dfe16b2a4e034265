import json
import shutil

import pytest

from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(rules_folder(None), tmp_path / "rules")


def change(folder, name, **values):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_projects_own_rules_are_right():
    rules = load_rules(rules_folder(None))

    assert len(rules) >= 40
    assert {"pet_bottle", "cardboard", "aluminum_can", "general"} <= rules.keys()


def test_each_problem_has_a_line_of_its_own(folder):
    change(folder, "pet_bottle", category="wood")
    change(folder, "cardboard", rules=[])
    change(folder, "battery", item="other_name")

    with pytest.raises(ConfigurationError) as caught:
        load_rules(folder)

    text = str(caught.value)
    assert "pet_bottle.json: category" in text
    assert "cardboard.json: rules" in text
    assert "battery.json: item" in text


def test_a_file_that_is_no_json_is_named(folder):
    (folder / "broken.json").write_text("{")

    with pytest.raises(ConfigurationError, match=r"broken\.json"):
        load_rules(folder)


def test_two_rules_may_not_share_a_name(folder):
    change(folder, "pet_bottle", aliases=["cardboard"])

    with pytest.raises(ConfigurationError, match="'cardboard' already means"):
        load_rules(folder)


def test_the_general_rule_must_exist(folder):
    (folder / "general.json").unlink()

    with pytest.raises(ConfigurationError, match=r"general\.json"):
        load_rules(folder)
    with pytest.raises(ConfigurationError, match="GROWBIN_RULES_DIR"):
        rules_folder(folder)
