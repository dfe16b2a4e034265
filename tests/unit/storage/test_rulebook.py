import pytest

from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.storage.rulebook import Rulebook


@pytest.fixture(scope="module")
def rulebook():
    return Rulebook(load_rules(rules_folder(None)))


def test_a_known_item_has_its_own_rule(rulebook):
    assert rulebook.lookup("pet_bottle").item == "pet_bottle"


def test_an_alias_finds_the_rule(rulebook):
    assert rulebook.lookup("cardboard_box").item == "cardboard"


@pytest.mark.parametrize("item", ["spaceship", "", "../../etc/passwd", "general.json", "a" * 10_000, "pet_bottle\0"])
def test_everything_else_has_the_general_rule(rulebook, item):
    assert rulebook.lookup(item).item == "general"
