"""Reasons for giving a message up: codes that are stored and travel, sentences that are made where they are shown.

The engine has the codes below. An application registers its own with :func:`register`; a code is a wire name and never
changes with a refactor.
"""

from collections.abc import Mapping
from typing import Literal

Language = Literal["ko", "en"]

REASONS: dict[str, dict[Language, str]] = {
    "request_invalid": {
        "ko": "요청 형식이 올바르지 않습니다: {detail}",
        "en": "The request is not valid: {detail}",
    },
    "given_up": {
        "ko": "처리할 수 없어 중단했습니다: {detail}",
        "en": "It was given up: {detail}",
    },
    "decision_invalid": {
        "ko": "처리 결과를 결정할 수 없어 중단했습니다. 관리자에게 알려 주세요: {detail}",
        "en": "What becomes of it could not be decided: {detail}",
    },
    "too_old": {
        "ko": "너무 오래 기다려 처리하지 않았습니다.",
        "en": "It was older than {seconds} seconds when its turn came (max_age), so it was not run.",
    },
    "skipped": {
        "ko": "처리하지 않고 중단했습니다.",
        "en": "A middleware of this worker skipped it and marked it as failed.",
    },
    "retries_exhausted": {
        "ko": "여러 번 시도했지만 처리하지 못했습니다. 잠시 후 다시 시도해 주세요.",
        "en": "It failed {attempts} times and was given up. Last error: {detail}",
    },
    "worker_killed": {
        "ko": "처리하는 동안 프로그램이 {times}번 멈추어 중단했습니다. 관리자에게 알려 주세요.",
        "en": "Its worker died {times} times while it ran (out of memory?), so it was given up.",
    },
    "actor_unknown": {
        "ko": "이 작업({actor})을 처리할 수 있는 프로그램이 없습니다. 관리자에게 알려 주세요.",
        "en": "This worker knows no actor {actor}. Deploy workers before what sends to them.",
    },
    "queue_missing": {
        "ko": "작업 대기열({queue})이 없어져 처리하지 못했습니다. 관리자에게 알려 주세요.",
        "en": "The queue {queue} was gone when the message was due. Start its workers, then retry it.",
    },
    "end_unstorable": {
        "ko": "작업 결과를 기록할 수 없어 중단했습니다({detail}). 관리자에게 알려 주세요.",
        "en": "What it sent or returned cannot be stored ({detail}): text that is no Unicode, or too large a number.",
    },
    "broker_gave_up": {
        "ko": "대기열({queue})의 규칙에 따라 처리되지 않고 중단되었습니다. 관리자에게 알려 주세요: {why}",
        "en": "RabbitMQ took it out of the queue {queue} ({why}): a policy limits its age, number or deliveries.",
    },
    "not_a_message": {
        "ko": "대기열({queue})에 있던 내용이 올바른 메시지가 아닙니다. 관리자에게 알려 주세요: {detail}",
        "en": "What was in the queue {queue} is no message of a Dramatiq program: {detail}",
    },
    "revoked": {
        "ko": "관리자가 실행하기 전에 취소했습니다.",
        "en": "An operator revoked it before it ran.",
    },
    "aborted": {
        "ko": "관리자가 실행 중에 중단했습니다.",
        "en": "An operator aborted it while it ran.",
    },
    "waited_too_long": {
        "ko": "필요한 서비스가 오랫동안 응답하지 않아 처리하지 못했습니다.",
        "en": "It waited longer than {hours} hours for something that did not come back: {detail}",
    },
}


def register(reasons: Mapping[str, Mapping[Language, str]]) -> None:
    """Add an application's codes and sentences; registering the same ones twice is fine.

    Parameters:
      reasons: By code, the sentence in each language, with ``{placeholders}``.

    Raises:
      ValueError: If a code is taken and has another sentence.
    """
    for code, sentences in reasons.items():
        known = REASONS.setdefault(code, dict(sentences))
        if known != dict(sentences):
            raise ValueError(f"The reason {code!r} is registered already, with another sentence. Choose another code.")


def reason(code: str, language: Language, params: Mapping[str, str | int | float]) -> str:
    """Return the sentence for a person.

    Parameters:
      code: A key of :data:`REASONS`.
      language: ``"ko"`` or ``"en"``.
      params: Values for the sentence's placeholders; a missing one shows as ``?``.

    Raises:
      KeyError: If the code is unknown.
    """
    return REASONS[code][language].format_map(_Placeholders(params))


class _Placeholders(dict[str, str | int | float]):
    """A sentence with a hole is better than no sentence: the row may come from another version."""

    def __missing__(self, key: str) -> str:
        return "?"
