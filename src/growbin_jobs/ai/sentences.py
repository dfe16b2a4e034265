"""Writes the advice without a model: the rule's own sentences, in order."""

from collections.abc import Mapping
from dataclasses import dataclass

from growbin_jobs.messages import GENERAL_ITEM, Advice, Category, Rule, VisionAnswer
from growbin_jobs.reasons import Language

#: What such an advice is marked with.
MODEL_NAME = "offline/rule"

#: Below this confidence the advice says that the picture alone does not settle it.
UNSURE_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class _Phrases:
    seen: str
    unsure: str
    unknown: str
    asked: str
    where: str
    dirty: Mapping[Category, str]
    steps: str
    cautions: str
    source: str


_RINSE_KO = "내용물이나 이물질이 보여요. 버리기 전에 비우고 물로 헹궈 주세요."
_RINSE_EN = "It looks soiled: empty it and rinse it before you sort it."

_PHRASES: dict[Language, _Phrases] = {
    "ko": _Phrases(
        seen="사진 속 물건은 {name}{ro} 보여요.",
        unsure="사진만으로는 확실하지 않지만 {name}{ro} 보여요. 다른 물건이라면 한 번 더 찍어 주세요.",
        unknown="어떤 물건인지 정확히 알아보지 못했어요. 아래의 일반적인 방법을 참고해 주세요.",
        asked="{name} 버리는 방법을 알려 드릴게요.",
        where="버리는 곳: {where}",
        dirty={
            "plastic": _RINSE_KO,
            "metal": _RINSE_KO,
            "glass": _RINSE_KO,
            "paper": "이물질이 묻어 있어 보여요. 씻거나 떼어 낼 수 없는 부분은 종량제봉투에 버려 주세요.",
        },
        steps="이렇게 버려 주세요.",
        cautions="이런 점을 주의해 주세요.",
        source="출처: {publisher}, {title} ({checked} 확인)",
    ),
    "en": _Phrases(
        seen="This looks like: {name}.",
        unsure="The photo does not settle it, but this looks like: {name}. If it is something else, take another one.",
        unknown="We could not tell what this is. Here is what to do in general.",
        asked="Here is how to sort: {name}.",
        where="Where it goes: {where}",
        dirty={
            "plastic": _RINSE_EN,
            "metal": _RINSE_EN,
            "glass": _RINSE_EN,
            "paper": "It looks soiled: parts that cannot be cleaned go into the general waste bag.",
        },
        steps="Please sort it like this:",
        cautions="Mind this:",
        source="Source: {publisher}, {title} (checked {checked})",
    ),
}


class RuleSentences:
    """A :class:`growbin_jobs.ai.responses.TextModel` that needs no server."""

    def compose(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Advice:
        phrases = _PHRASES[language]
        steps = [f"{number}. {step.in_language(language)}" for number, step in enumerate(rule.rules, start=1)]
        cautions = [f"- {caution.in_language(language)}" for caution in rule.cautions]
        source = rule.source
        paragraphs = [
            [
                _opening(phrases, rule, vision, language),
                phrases.where.format(where=rule.disposal_method.in_language(language)),
            ],
            [phrases.dirty[rule.category]]
            if vision and vision.state == "dirty" and rule.category in phrases.dirty
            else [],
            [phrases.steps, *steps],
            [phrases.cautions, *cautions] if cautions else [],
            [phrases.source.format(publisher=source.publisher, title=source.title, checked=source.checked)],
        ]
        text = "\n\n".join("\n".join(lines) for lines in paragraphs if lines)
        return Advice(text=text, language=language, source="rule", model=MODEL_NAME)


def _opening(phrases: _Phrases, rule: Rule, vision: VisionAnswer | None, language: Language) -> str:
    name = rule.name.in_language(language)
    if rule.item == GENERAL_ITEM:
        return phrases.unknown
    if vision is None:
        template = phrases.asked
    elif vision.confidence < UNSURE_BELOW:
        template = phrases.unsure
    else:
        template = phrases.seen
    return template.format(name=name, ro=_ro(name))


def _ro(word: str) -> str:
    """Return the particle (으)로 in the form that goes with a word: 으로 after a final consonant other than ㄹ."""
    last = next((char for char in reversed(word) if char.isalnum()), "")
    if not "가" <= last <= "힣":
        return "(으)로"
    # A syllable's code is 0xAC00 + (lead × 21 + vowel) × 28 + tail; tail 0 is none, 8 is ㄹ (Unicode, 3.12).
    return "로" if (ord(last) - 0xAC00) % 28 in (0, 8) else "으로"
