"""Sentences that the schedule and the health checks record, in Korean too.

They are recorded in English, with the names that they are about. What is not in the table is shown as it is: words of a
person, or of an error that has a text of its own.
"""

from collections.abc import Mapping
from typing import Final

from growbin_jobs.reasons import Language
from growbin_jobs.sentences import translated

#: By the sentence as the code has it, with ``{placeholders}``.
KOREAN: Final[Mapping[str, str]] = {
    # of the schedule
    "waits for the run before it": "앞선 실행이 끝나기를 기다립니다",
    "waits for {waits_for}": "{waits_for} 작업이 끝나기를 기다립니다",
    "an earlier run had not ended": "앞선 실행이 아직 끝나지 않았습니다",
    "{waits_for} has not been done": "먼저 끝나야 하는 {waits_for} 작업이 끝나지 않았습니다",
    "it has not ended within {job.max_run}": "{job.max_run} 안에 끝나지 않았습니다",
    "no worker has begun it within {job.max_run}": "{job.max_run} 안에 시작한 워커가 없습니다",
    "no scheduler ran, and it is too old to catch up": "스케줄러가 멈춰 있었고, 다시 실행하기에는 너무 오래되었습니다",
    "the latest of the missed due times is run for them": "놓친 예정 시각 가운데 마지막 것만 실행합니다",
    "paused by {by}: {reason}": "{by}이(가) 일시 중지했습니다: {reason}",
    "asked for by {by}": "{by}의 요청으로 실행합니다",
    "removed: the job was taken out of the table": "작업이 표에서 삭제되었습니다",
    "edited: the job has a new rule": "작업의 규칙이 바뀌었습니다",
    "edited: the day, week or month has had its run by the rule before":
        "규칙이 바뀌었고, 이 날·주·달의 실행은 이전 규칙으로 이미 끝났습니다",
    # of health
    "the checker is offline": "점검하는 쪽의 네트워크가 끊겨 있습니다",
    "nobody checked": "점검한 기록이 없습니다",
    "the address cannot be read": "주소 형식이 올바르지 않습니다",
    "the address is not public; allow its network with GROWBIN_HEALTH_NETWORKS":
        "공개 주소가 아닙니다. GROWBIN_HEALTH_NETWORKS로 해당 네트워크를 허용하세요",
    "the name has no address": "이름에 해당하는 주소가 없습니다",
    "no connection": "연결할 수 없습니다",
    "the certificate is not valid": "인증서가 유효하지 않습니다",
    "no answer in time": "제한 시간 안에 응답이 없습니다",
    "the connection broke": "연결이 끊어졌습니다",
    "HTTP {answer.http_status}: redirects are not followed":
        "HTTP {answer.http_status}: 다른 주소로 넘기는 응답은 따라가지 않습니다",
    "real traffic succeeds": "실제 요청이 성공하고 있습니다",
    "its breaker is open: {error.reason}": "차단기가 열려 있습니다: {error.reason}",
    "no paid probe: {error}": "유료 점검을 하지 않았습니다: {error}",
    "the server does not offer this model (HTTP 404)": "서버에 이 모델이 없습니다(HTTP 404)",
    "the server limits the rate (HTTP 429)": "서버가 요청 수를 제한하고 있습니다(HTTP 429)",
    "the key is denied (HTTP {answer.http_status})": "키가 거부되었습니다(HTTP {answer.http_status})",
    "the server refuses the request (HTTP {answer.http_status}, {said})":
        "서버가 요청을 거부했습니다(HTTP {answer.http_status}, {said})",
    "the key belongs to another host: set key_host and base_url to the same one":
        "다른 호스트의 키입니다. key_host와 base_url을 같은 호스트로 맞추세요",
}  # fmt: skip


def shown(sentence: str | None, language: Language) -> str:
    """Return a recorded sentence in a language; one that is not known, as it is.

    Parameters:
      sentence: As it was recorded; None: nothing was.
    """
    if not sentence or language == "en":
        return sentence or ""
    return translated(sentence, KOREAN)
