import pytest

from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.kept_texts import CachedTextModel
from growbin_jobs.messages import Advice, VisionAnswer

CLEAN = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)
DIRTY = CLEAN.model_copy(update={"state": "dirty"})


class Texts:
    def __init__(self):
        self.asked = 0

    def compose(self, rule, vision, language):
        self.asked += 1
        return Advice(text=f"advice {self.asked}", language=language, source="model", model="m")


@pytest.fixture(scope="module")
def rules():
    return load_rules(rules_folder(None))


@pytest.fixture
def texts():
    return Texts()


@pytest.fixture
def kept(texts, tmp_path):
    return CachedTextModel(texts, GptCache(tmp_path / "journal.db"), model="m")


def test_the_same_question_is_paid_for_once(kept, texts, rules):
    first = kept.compose(rules["pet_bottle"], CLEAN, "ko")

    assert kept.compose(rules["pet_bottle"], CLEAN, "ko") == first
    assert texts.asked == 1


@pytest.mark.parametrize(
    ("item", "vision", "language"), [("battery", CLEAN, "ko"), ("pet_bottle", DIRTY, "ko"), ("pet_bottle", CLEAN, "en")]
)
def test_another_question_is_asked(kept, texts, rules, item, vision, language):
    kept.compose(rules["pet_bottle"], CLEAN, "ko")
    kept.compose(rules[item], vision, language)

    assert texts.asked == 2


def test_what_another_version_kept_is_not_trusted(texts, rules, tmp_path):
    class Cache:
        def get(self, key):
            return '{"text": ""}'

        def put(self, key, **values):
            pass

    assert CachedTextModel(texts, Cache(), model="m").compose(rules["pet_bottle"], CLEAN, "ko").text == "advice 1"
