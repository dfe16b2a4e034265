"""What ``growbin-jobs subject`` says, in both languages."""

from typing import Final

from growbin_jobs.sentences import Words

WORDS: Final[Words] = {
    "table": {"en": "what", "ko": "항목"},
    "count": {"en": "number", "ko": "수"},
    "size": {"en": "bytes, about", "ko": "바이트(약)"},
    "nothing": {"en": "Nothing is held.", "ko": "보관 중인 자료가 없습니다."},
    "record": {
        "en": "Erased before: asked for on {at} by {by}.",
        "ko": "이전 삭제 기록: {at}, 요청자 {by}.",
    },
    "exported": {"en": "All of it is in {folder}.", "ko": "모든 자료를 {folder}에 저장했습니다."},
    "sure": {
        "en": "Erase all that is held about this user? It cannot be taken back.",
        "ko": "이 이용자의 모든 자료를 삭제할까요? 되돌릴 수 없습니다.",
    },
    "done": {"en": "Nothing is left.", "ko": "모두 삭제했습니다."},
    "messages": {
        "en": "{count} messages of the user have not ended yet. They are told to stop.",
        "ko": "이용자의 메시지 {count}개가 아직 끝나지 않았습니다. 중단하도록 알렸습니다.",
    },
    "nodes": {
        "en": "These nodes have not looked through their journals yet: {names}. They do when they run.",
        "ko": "다음 노드가 아직 저널을 확인하지 않았습니다: {names}. 실행되면 확인합니다.",
    },
    "again": {
        "en": "The rest is erased. Run this again later, until nothing is left.",
        "ko": "나머지는 삭제했습니다. 모두 삭제될 때까지 나중에 다시 실행하세요.",
    },
}
