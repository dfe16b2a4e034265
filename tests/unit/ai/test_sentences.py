import pytest

from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.ai.sentences import RuleSentences, _ro
from growbin_jobs.messages import Rule, RuleSource, Text, VisionAnswer

RULE = Rule(
    item="pet_bottle",
    name=Text(ko="투명 페트병", en="Clear PET bottle"),
    category="plastic",
    disposal_method=Text(ko="투명 페트병 수거함", en="Clear PET bin"),
    rules=[Text(ko="내용물을 비워요.", en="Empty it."), Text(ko="라벨을 떼요.", en="Peel the label.")],
    cautions=[Text(ko="유색은 따로 모아요.", en="Coloured ones go elsewhere.")],
    source=RuleSource(title="분리배출 지침", publisher="환경부", checked="2026-11-01"),
)


def seen(**changes):
    return VisionAnswer(
        **({"category": "plastic", "item": "pet_bottle", "state": "clean", "confidence": 0.9} | changes)
    )


def compose(rule=RULE, vision=None, language="ko"):
    return RuleSentences().compose(rule, vision, language)


def test_a_whole_advice_in_korean():
    advice = compose(vision=seen(state="dirty"))

    assert advice.text == (
        "사진 속 물건은 투명 페트병으로 보여요.\n"
        "버리는 곳: 투명 페트병 수거함\n\n"
        "내용물이나 이물질이 보여요. 버리기 전에 비우고 물로 헹궈 주세요.\n\n"
        "이렇게 버려 주세요.\n1. 내용물을 비워요.\n2. 라벨을 떼요.\n\n"
        "이런 점을 주의해 주세요.\n- 유색은 따로 모아요.\n\n"
        "출처: 환경부, 분리배출 지침 (2026-11-01 확인)"
    )
    assert (advice.language, advice.source, advice.model) == ("ko", "rule", "offline/rule")


def test_a_whole_advice_in_english():
    assert compose(vision=seen(), language="en").text == (
        "This looks like: Clear PET bottle.\n"
        "Where it goes: Clear PET bin\n\n"
        "Please sort it like this:\n1. Empty it.\n2. Peel the label.\n\n"
        "Mind this:\n- Coloured ones go elsewhere.\n\n"
        "Source: 환경부, 분리배출 지침 (checked 2026-11-01)"
    )


def test_a_soiled_thing_is_rinsed_and_soiled_paper_is_not():
    paper = RULE.model_copy(update={"category": "paper"})
    general = RULE.model_copy(update={"category": "general"})

    assert "헹궈" in compose(vision=seen(state="dirty")).text
    assert "종량제봉투" in compose(paper, seen(state="dirty")).text
    assert "이물질" not in compose(general, seen(state="dirty")).text
    assert "이물질" not in compose(vision=seen(state="mixed")).text


def test_the_opening_says_how_sure_we_are():
    general = RULE.model_copy(update={"item": "general"})

    assert "확실하지 않지만" in compose(vision=seen(confidence=0.3)).text
    assert "알아보지 못했어요" in compose(general, seen(confidence=0.3)).text
    assert compose(vision=None).text.startswith("투명 페트병 버리는 방법")


@pytest.mark.parametrize(
    ("word", "particle"),
    [
        ("페트병", "으로"),
        ("상자", "로"),
        ("비닐", "로"),
        ("캔", "으로"),
        ("유리병(갈색)", "으로"),
        ("PET", "(으)로"),
        ("", "(으)로"),
    ],
)
def test_the_particle_goes_with_the_word(word, particle):
    assert _ro(word) == particle


RULES = load_rules(rules_folder(None))


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("item", RULES)
def test_every_rule_of_the_project_makes_advice(item, language):
    text = compose(RULES[item], seen(item=item, category=RULES[item].category, state="dirty"), language).text

    assert "(으)로" not in text
    assert "{" not in text
    for step in RULES[item].rules:
        assert step.in_language(language) in text
