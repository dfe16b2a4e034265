"""Sentences of operations in Korean: why an act was refused, why a target of a bulk job cannot be done.

Operations say them in English, with the names that they are about; what is not in the table is shown as it is.
"""

from collections.abc import Mapping
from typing import Final

from growbin_jobs.sentences import translated

KOREAN: Final[Mapping[str, str]] = {
    "{by} has let it run again at {when} UTC. Nothing more is to be done.":
        "{by}이(가) {when} UTC에 이미 재시도했습니다. 더 할 일이 없습니다.",
    "{by} has discarded it at {when} UTC. Nothing more is to be done.":
        "{by}이(가) {when} UTC에 이미 버렸습니다. 더 할 일이 없습니다.",
    "It was retried on its node {node}. Nothing more is to be done.":
        "노드 {node}에서 이미 재시도했습니다. 더 할 일이 없습니다.",
    "It was discarded on its node {node}. Nothing more is to be done.":
        "노드 {node}에서 이미 버렸습니다. 더 할 일이 없습니다.",
    "{by} has let it run again at {when} UTC, as {id}. "
    "Look at that one; let it run once more only when that is what you want.":
        "{by}이(가) {when} UTC에 {id}(으)로 이미 다시 실행했습니다. 그 작업을 먼저 확인하세요.",
    "It has completed, so there is nothing to retry. Run it again: that makes a new task.":
        "완료된 작업이라 재시도할 것이 없습니다. '다시 실행'으로 새 작업을 만드세요.",
    "It is retried by itself at {when} UTC: a second message could run beside that one. Wait, or revoke it first.":
        "{when} UTC에 스스로 재시도합니다. 지금 보내면 두 번 실행될 수 있습니다. 기다리거나 먼저 취소하세요.",
    "It runs now. Abort it first, or wait for its end.": "지금 실행 중입니다. 먼저 중단하거나 끝나기를 기다리세요.",
    "It is too late: the decision has had its effect. Let the task run again instead.":
        "이미 처리되어 되돌릴 수 없습니다. 대신 작업을 다시 실행하세요.",
    "Nobody has decided about it: there is nothing to take back.": "아무도 결정하지 않아 되돌릴 것이 없습니다.",
    "Nothing fits, so there is nothing to do. Choose others.": "조건에 맞는 것이 없습니다. 다른 조건을 고르세요.",
    "These are {number}. Type that number, so that it is sure that you mean all of them.":
        "모두 {number}개입니다. 전부가 맞는지 확인하도록 그 수를 입력하세요.",
    "The bulk job {name} is {state}, and would have to be {other}.":
        "일괄 작업 {name}의 상태가 {state}입니다. {other} 상태여야 합니다.",
    "The photo that was handed in is stored, and was deleted where it came from. Let analyze_image run again.":
        "올린 사진은 저장된 뒤 원래 자리에서 지워졌습니다. analyze_image를 다시 실행하세요.",
    "The photo that was handed in is stored: let analyze_image run again.":
        "올린 사진은 이미 저장되었습니다. analyze_image를 다시 실행하세요.",
    "The picture was refused and has been deleted: it has to be handed in anew.":
        "거부된 사진은 지워졌습니다. 사진을 다시 올려야 합니다.",
    "It holds no message that could be sent. Discard it.": "보낼 수 있는 메시지가 없습니다. 버리세요.",
    "{by} has decided about it.": "{by}이(가) 이미 결정했습니다.",
    "Its message is not known, so it cannot run again.": "메시지를 알 수 없어 다시 실행할 수 없습니다.",
    "The arguments are no JSON{place}.": "인수가 JSON이 아닙니다{place}.",
    "The named arguments are no JSON{place}.": "이름 있는 인수가 JSON이 아닙니다{place}.",
    "{number} messages are revoked already, and not all of them have come by. Pause their queue or actor instead, or "
    "withdraw some.":
        "이미 메시지 {number}개가 취소되었고 아직 모두 처리되지 않았습니다. 대기열이나 액터를 일시 중지하거나 "
        "일부를 철회하세요.",
    "There is a webhook of this name.": "같은 이름의 웹훅이 있습니다.",
    "There is no webhook of this name.": "그런 이름의 웹훅이 없습니다.",
    "The receiver has this message.": "받는 쪽에 이미 전달된 메시지입니다.",
    "A webhook needs a rule.": "규칙을 하나 이상 고르세요.",
    "A webhook's name has 1 to 63 letters, digits, blanks, '-', '_' and '.'.":
        "웹훅 이름은 글자, 숫자, 빈칸, '-', '_', '.'로 1~63자입니다.",
    "The address begins with https:// or http:// and has a host.":
        "주소는 https:// 또는 http://로 시작하고 호스트가 있어야 합니다.",
    "The address has no user, no password and no '#'.": "주소에는 사용자, 비밀번호, '#'을 쓸 수 없습니다.",
    "The secret is named, not given: env:WEBHOOK_SECRET, env:WEBHOOK_SECRET_… or file:NAME in "
    "GROWBIN_WEBHOOK_SECRETS_DIR.":
        "비밀 키 자체가 아니라 위치를 쓰세요: env:WEBHOOK_SECRET, env:WEBHOOK_SECRET_…, 또는 "
        "GROWBIN_WEBHOOK_SECRETS_DIR 안의 file:NAME.",
    "The quiet time is a number of minutes, a week's at most.": "묶음 간격은 분 단위이며 최대 일주일입니다.",
    "the address is none": "주소 형식이 올바르지 않습니다",
    "the address is not public; GROWBIN_WEBHOOK_NETWORKS allows private ones":
        "공개 주소가 아닙니다. GROWBIN_WEBHOOK_NETWORKS로 사설 네트워크를 허용할 수 있습니다",
    "the name has no address": "이름에 해당하는 주소가 없습니다",
    "nobody answers there": "연결할 수 없습니다",
    "the certificate cannot be trusted, or no TLS is spoken there":
        "인증서를 신뢰할 수 없거나, 그곳에서 TLS를 쓰지 않습니다",
    "no answer in time": "제한 시간 안에 응답이 없습니다",
    "the answer broke off": "응답이 도중에 끊어졌습니다",
    "this node has no secret {reference}": "이 노드에 비밀 키 {reference}이(가) 없습니다",
    "A month is written 2026-11.": "달은 2026-11처럼 쓰세요.",
    "That month is to come.": "아직 오지 않은 달입니다.",
    "That is no number.": "숫자가 아닙니다.",
    "That is no time. Write one such as 2026-12-01T09:00.": "시각이 아닙니다. 2026-12-01T09:00처럼 쓰세요.",
}  # fmt: skip


def said_in(language: str, sentence: str) -> str:
    """Return a sentence of an operation in a language; one that is not known, as it is."""
    return translated(sentence, KOREAN) if language == "ko" else sentence
