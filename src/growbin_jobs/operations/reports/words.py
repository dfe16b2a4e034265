"""The words of the weekly report in both languages."""

from typing import Final

from growbin_jobs.reasons import REASONS, Language
from growbin_jobs.sentences import Words, worded

LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")

WORDS: Final[Words] = {
    "title": {"en": "Weekly report {week}", "ko": "주간 보고서 {week}"},
    "span": {"en": "{since} to {until}, {zone}", "ko": "{since} – {until}, {zone}"},
    "analyses": {"en": "Analyses", "ko": "분석 수"},
    "completed": {"en": "Completed", "ko": "완료"},
    "failed": {"en": "Failed", "ko": "실패"},
    "open": {"en": "Not ended", "ko": "진행 중"},
    "p50": {"en": "Seconds until the advice, half of them", "ko": "답변까지 걸린 시간(초), 중앙값"},
    "p95": {"en": "Seconds until the advice, 95 of 100", "ko": "답변까지 걸린 시간(초), 95%"},
    "requests": {"en": "Requests to models", "ko": "모델 요청 수"},
    "cost": {"en": "Cost in dollars", "ko": "비용(달러)"},
    "this": {"en": "This week", "ko": "이번 주"},
    "before": {"en": "The week before", "ko": "지난주"},
    "change": {"en": "Change", "ko": "증감"},
    "by_category": {"en": "By category", "ko": "분류별"},
    "by_item": {"en": "By item and state", "ko": "품목과 상태별"},
    "failures": {"en": "Failures and their reasons", "ko": "실패와 이유"},
    "stage": {"en": "Stage", "ko": "단계"},
    "reason": {"en": "Reason", "ko": "이유"},
    "count": {"en": "Number", "ko": "수"},
    "name": {"en": "What", "ko": "항목"},
    "none": {"en": "None.", "ko": "없습니다."},
    "no_cost": {"en": "Where the price of a model is not known, its cost is not in it.",
                "ko": "가격을 모르는 모델의 비용은 포함되지 않았습니다."},
    "plastic": {"en": "plastic", "ko": "플라스틱"},
    "paper": {"en": "paper", "ko": "종이"},
    "metal": {"en": "metal", "ko": "금속"},
    "glass": {"en": "glass", "ko": "유리"},
    "general": {"en": "general", "ko": "일반"},
    "clean": {"en": "clean", "ko": "깨끗함"},
    "dirty": {"en": "dirty", "ko": "오염됨"},
    "mixed": {"en": "mixed", "ko": "혼합"},
}  # fmt: skip


def said(key: str, language: Language, **values: str) -> str:
    """Return words; a key that has none, as it is."""
    return worded(WORDS, key, language, **values) if key in WORDS else key


def reason_said(code: str, language: Language) -> str:
    """Return the sentence of a reason without its details; the code itself where it is not known."""
    sentence = REASONS.get(code, {}).get(language)
    return code if sentence is None else f"{code}: {sentence}" if "{" not in sentence else code
