"""Words of an analysis on a terminal, in two languages."""

from typing import Final

from growbin_jobs.cli.person import language
from growbin_jobs.sentences import Words, worded

_WORDS: Final[Words] = {
    "status": {"en": "status", "ko": "진행"},
    "waits for": {"en": "waits for", "ko": "대기"},
    "batch": {"en": "batch", "ko": "배치"},
    "tier": {"en": "tier", "ko": "요금 등급"},
    "standard": {"en": "standard, not batch: {why}", "ko": "배치 대신 표준: {why}"},
    "category": {"en": "category", "ko": "분류"},
    "item": {"en": "item", "ko": "품목"},
    "state": {"en": "state", "ko": "상태"},
    "confidence": {"en": "confidence", "ko": "확신도"},
    "by": {"en": "{number}  by {model}", "ko": "{number}  {model}"},
    "not told": {
        "en": "{state}  (the offline classifier cannot tell)",
        "ko": "{state}  (오프라인 분류기는 판별하지 못합니다)",
    },
    "failed in": {"en": "failed in", "ko": "실패 단계"},
    "reason": {"en": "reason", "ko": "사유"},
    "advice by": {"en": "advice by {source}: {model}", "ko": "안내 작성 {source}: {model}"},
    "turn": {
        "en": "its turn under the limit {limit}, place {place}",
        "ko": "{limit} 제한의 차례, {place}번째",
    },
    "stopped": {"en": "{turn}; stopped by {by}", "ko": "{turn}; {by} 때문에 멈춤"},
    "starts": {"en": "{turn}; starts at about {at} ({zone})", "ko": "{turn}; {at}쯤 시작 ({zone})"},
    "no batch": {"en": "an answer came before one was made", "ko": "배치를 만들기 전에 답을 받음"},
    "next batch": {"en": "waits for the next one", "ko": "다음 배치를 기다림"},
    "since": {"en": "{words}; since {at} ({zone})", "ko": "{words}; {at}부터 ({zone})"},
    "answered": {"en": "answered", "ko": "답을 받음"},
    "in batch": {"en": "waits in {batch} ({state})", "ko": "{batch}에서 대기 ({state})"},
    "done by": {"en": "; done by {at} ({zone}) at the latest", "ko": "; 늦어도 {at}까지 ({zone})"},
}


def word(key: str, **values: object) -> str:
    """Return a word or a sentence in the language of who runs the command; ``values`` are of its placeholders."""
    return worded(_WORDS, key, language(), **values)
