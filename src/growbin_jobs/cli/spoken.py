"""What lists of the command line say, in the language of who runs them: their headings, and the sentences around them.

The code has the English; here stands the Korean. A test reads the code, so that neither lacks what the other has.
"""

from collections.abc import Mapping
from typing import Final

#: By the English heading of a table.
HEADINGS: Final[Mapping[str, str]] = {
    "": "",
    "$": "$",
    "active": "활성",
    "agents": "에이전트",
    "calls": "호출",
    "live": "운영 중",
    "sessions": "세션",
    "users": "사용자",
    "TLS days": "TLS 남은 일수",
    "after": "이후",
    "analyses": "분석",
    "analysed": "분석 완료",
    "asked": "요청",
    "at": "시각",
    "avg": "평균",
    "before": "이전",
    "by": "실행한 사람",
    "bytes": "바이트",
    "checked": "확인한 시각",
    "completed": "완료",
    "done": "완료",
    "erased": "삭제된 행",
    "expires": "만료",
    "failed": "실패",
    "from": "시작",
    "from facts": "원자료에서",
    "hash": "해시",
    "id": "id",
    "last used": "마지막 사용",
    "made by": "만든 사람",
    "ms": "ms",
    "name": "이름",
    "number": "항목",
    "p95 ms": "p95 ms",
    "page": "페이지",
    "period": "기간",
    "proven": "복원 확인",
    "reason": "이유",
    "role": "역할",
    "rows": "행",
    "since": "이후 계속",
    "state": "상태",
    "stored": "저장된 값",
    "table": "테이블",
    "target": "대상",
    "to": "끝",
    "told": "알림",
    "week": "주",
}

#: By the English sentence or word, with its placeholders.
SENTENCES: Final[Mapping[str, str]] = {
    "Times in {zone}.": "시각은 {zone} 기준입니다.",
    "times in {zone}": "시각: {zone}",
    "days in {zone}": "날짜: {zone}",
    "in {zone}": "{zone} 기준",
    # of the audit
    "The audit has no such row.": "감사 기록에 그런 행이 없습니다.",
    # of dead letters
    "There are no dead letters.": "데드 레터가 없습니다.",
    "To retry one: {command}": "하나를 다시 시도하려면: {command}",
    "These are the newest {number}; there are more: --limit": "가장 최근 {number}개입니다. 더 있습니다: --limit",
    "dead letter {id}": "데드 레터 {id}",
    "dead letter {id} of {node}": "{node}의 데드 레터 {id}",
    "died": "포기",
    "retried": "다시 시도",
    "discarded": "폐기",
    "times": "시각",
    "why": "이유",
    "error": "오류",
    "task": "작업",
    "actor": "액터",
    "queue": "큐",
    # of tasks
    "No task fits.": "맞는 작업이 없습니다.",
    "Of the newest {number} tasks none fits.": "가장 최근 작업 {number}개 중에는 맞는 것이 없습니다.",
    "There are more; these are {number}. --limit shows more of them.":
        "더 있습니다. 지금 {number}개를 보였습니다: --limit",
    "made from {task} by {person}": "{task}에서 만듦, 실행한 사람 {person}",
    "run again as {task} by {person}, {at}": "{task}(으)로 다시 실행, 실행한 사람 {person}, {at}",
    "superseded by {task} by {person}, {at}": "{task}(으)로 대체, 실행한 사람 {person}, {at}",
    # of webhooks
    "There are no webhooks. Add one: growbin-jobs webhooks add NAME URL":
        "웹훅이 없습니다. 추가: growbin-jobs webhooks add NAME URL",
    "No message was sent.": "보낸 메시지가 없습니다.",
    "paused by {person}": "{person} 님이 멈춤",
    "{number} given up": "{number}개 포기",
    "{number} on their way": "{number}개 전송 중",
    "once in {minutes} min": "{minutes}분에 한 번",
    "{number} tries": "{number}번 시도",
    # of the monitor's tokens
    "There are no tokens.": "토큰이 없습니다.",
    # of models' servers
    "Nothing was learnt yet: no server has refused a part of a request.":
        "아직 알게 된 것이 없습니다. 요청의 일부를 거절한 서버가 없습니다.",
    "not sent: {feature}  ({words})": "보내지 않음: {feature}  ({words})",
    "reasoning efforts: {names}": "추론 강도: {names}",
    "at most {number} tokens in an answer": "응답은 최대 {number}토큰",
    "it last said: {words}": "마지막으로 한 말: {words}",
    # of the schedule
    "by the keeper of every node": "모든 노드의 키퍼가 실행",
    "paused": "멈춤",
    "not registered": "등록되지 않음",
    "{job} is paused by {person}: {reason}": "{job}을(를) {person} 님이 멈췄습니다: {reason}",
    "{job} is paused by {person} until {until}: {reason}": "{job}을(를) {person} 님이 {until}까지 멈췄습니다: {reason}",
    "The table differs from what schedulers fire: see `growbin-jobs schedule plan`; start a scheduler.":
        "일정표가 스케줄러의 것과 다릅니다. `growbin-jobs schedule plan`을 보고 스케줄러를 시작하세요.",
    "{number} due times, in {zone}.": "예정 시각 {number}개, {zone} 기준.",
    "{job} runs for {due}, in {zone}.": "{job}이(가) {due}분으로 실행됩니다({zone} 기준).",
    "Nothing has been due so far.": "아직 예정된 것이 없었습니다.",
    "{number} changes, 0 replays. Times in {zone}.": "변경 {number}개, 다시 실행 0개. 시각은 {zone} 기준입니다.",
    "Nothing changes.": "바뀌는 것이 없습니다.",
    # of archives, health, reports and statistics
    "There is no archive.": "보관 파일이 없습니다.",
    "There is no archive to try.": "시험할 보관 파일이 없습니다.",
    "never": "없음",
    "Nothing was checked yet: the scheduler sends the checks every 10 and 15 minutes.":
        "아직 확인한 것이 없습니다. 스케줄러가 10분, 15분마다 확인합니다.",
    "{number} targets: {words}. --json shows all; the unhealthy come first here.":
        "대상 {number}개: {words}. --json은 모두 보입니다. 정상이 아닌 것이 먼저 나옵니다.",
    "No state has changed.": "바뀐 상태가 없습니다.",
    "yes": "예",
    "no": "아니요",
    "There is no weekly report yet.": "아직 주간 보고서가 없습니다.",
    "weekly reports": "주간 보고서",
    "Nothing is counted yet. Count what there is: growbin-jobs stats backfill --from 2026-11-01":
        "아직 집계가 없습니다. 지금 있는 것을 집계하려면: growbin-jobs stats backfill --from 2026-11-01",
    "* Facts came late: counted anew at the next daily run, or by growbin-jobs stats backfill.":
        "* 늦게 온 자료가 있어 다음 일일 실행이나 growbin-jobs stats backfill이 이 행을 다시 집계합니다.",
    "{period}: refused, older rows of {tables} are deleted.": "{period}: 거절, {tables}의 오래된 행이 삭제되었습니다.",
    "{period}: it has not ended.": "{period}: 아직 끝나지 않았습니다.",
    "{number} of {all} periods are counted.": "기간 {all}개 중 {number}개를 집계했습니다.",
    "deleted": "삭제됨",
    "{rows} rows of {table} ({bytes} bytes) would come back.":
        "{table}의 행 {rows}개({bytes}바이트)가 복원될 것입니다.",
    "{rows} rows of {table} ({bytes} bytes) are back.": "{table}의 행 {rows}개({bytes}바이트)를 복원했습니다.",
    "{id}: all {rows} rows of {table} came back.": "{id}: {table}의 행 {rows}개가 모두 복원되었습니다.",
    # of the journal
    "journal": "저널",
    "node": "노드",
    "tasks": "작업",
    "to be copied": "복사 대기",
    "{number}, {seconds} s behind": "{number}, {seconds}초 지연",
    "to be sent": "전송 대기",
    "dead letters": "데드 레터",
    "files": "파일",
    "{database} MB, log {log} MB": "{database} MB, 로그 {log} MB",
    "free disk": "남은 디스크",
    "damaged": "손상",
    "keeper": "키퍼",
    "process {pid}": "프로세스 {pid}",
    "none: it comes with a worker": "없음: 워커와 함께 시작됩니다",
    "workers": "워커",
    "none": "없음",
    # of the proof
    "All was checked, and it holds.": "모두 확인했고 성립합니다.",
    "Nothing is wrong in what could be checked; not all could be.":
        "확인할 수 있는 것에는 잘못이 없으나 모두 확인하지는 못했습니다.",
    "It does not hold.": "성립하지 않습니다.",
    "{since} to {until} ({zone})": "{since} ~ {until} ({zone})",
    "Not shown by any proof: {what}": "어떤 증명으로도 알 수 없는 것: {what}",
    "… {number} in all; --json names up to 100.": "… 모두 {number}개; --json은 100개까지 보입니다.",
    "not checked": "확인 못함",
    "Nothing was erased yet.": "아직 삭제한 것이 없습니다.",
    # of what was done
    "Not finished: {photos}": "끝나지 않음: {photos}",
    "They go on without us; `growbin-jobs status` knows them: {ids}":
        "분석은 계속됩니다. `growbin-jobs status`로 확인하세요: {ids}",
    "{problem} Still trying.": "{problem} 계속 시도합니다.",
    "{rows} rows are as they were written. The head:": "행 {rows}개가 기록된 그대로입니다. 마지막 값:",
    "The chain is whole; its head: {head}": "사슬이 온전합니다. 마지막 값: {head}",
    "applied {name}": "{name} 적용",
    "The database is up to date.": "데이터베이스가 최신입니다.",
    "{number} messages are not sent yet; the keeper goes on with them.":
        "메시지 {number}개를 아직 보내지 못했습니다. 키퍼가 계속합니다.",
    "{number} retried.": "{number}개를 다시 시도합니다.",
    "{number} discarded.": "{number}개를 폐기했습니다.",
    "The audit does not tell of this: {error}": "감사 기록에 남지 않았습니다: {error}",
    "{copied} of {pages} pages of the log are in the database file.":
        "로그 {pages}쪽 중 {copied}쪽이 데이터베이스 파일에 있습니다.",
    "Rows: {copied} copied, {refused} refused, {left} left.": "행: 복사 {copied}, 거절 {refused}, 남음 {left}.",
    "Messages: {sent} sent, {left} left.": "메시지: 전송 {sent}, 남음 {left}.",
    "{file} was damaged and is now {name}. Only messages that could be read were taken over.":
        "{file}이(가) 손상되어 {name}(으)로 옮겼습니다. 읽을 수 있는 메시지만 옮겨 왔습니다.",
    "Put aside before: {files}": "이전에 옮겨 둔 파일: {files}",
    "doctor reads this verdict: growbin-jobs doctor": "growbin-jobs doctor가 이 결과를 읽습니다.",
    "Forgotten: {number}. Restart the workers.": "{number}개를 잊었습니다. 워커를 다시 시작하세요.",
    "{name} is revoked.": "{name}을(를) 취소했습니다.",
    "Everybody on this machine is an administrator there (--insecure).":
        "이 컴퓨터의 모든 사용자가 관리자입니다(--insecure).",
    "Count them: {command}": "집계하려면: {command}",
    "Signed by the key {key}: {file}": "키 {key}(으)로 서명: {file}",
    "{job} is paused.": "{job}을(를) 멈췄습니다.",
    "{job} goes on.": "{job}을(를) 다시 시작합니다.",
    "… and {number} more; --json shows all.": "… 그 밖에 {number}개; --json은 모두 보입니다.",
    "{checked} due times, {wrong} holes and doubles; {settled} were not run for a recorded reason, {pending} are "
    "on their way. Times in {zone}.":
        "예정 시각 {checked}개, 누락과 중복 {wrong}개; {settled}개는 기록된 이유로 실행하지 않았고 {pending}개는 진행 "
        "중입니다. 시각은 {zone} 기준입니다.",
    "{id} is tried again.": "{id}을(를) 다시 시도합니다.",
    "{name} is told. Try it: {command}": "{name}에 알립니다. 시험: {command}",
    "{name} is removed.": "{name}을(를) 지웠습니다.",
    "{name} is paused.": "{name}을(를) 멈췄습니다.",
    "{name} is resumed.": "{name}을(를) 다시 시작합니다.",
    "The monitor is not installed: pip install 'growbin-jobs[monitor]'.":
        "모니터가 설치되어 있지 않습니다: pip install 'growbin-jobs[monitor]'.",
    # of settings
    "{number} of {all} are set.": "설정 {all}개 중 {number}개가 지정되어 있습니다.",
}  # fmt: skip


def spoken(english: str, **values: object) -> str:
    """Return a sentence in the language of who runs this command.

    Parameters:
      english: A key of :data:`SENTENCES`.
      values: Of its placeholders.
    """
    from growbin_jobs.cli.person import language

    return (SENTENCES[english] if language() == "ko" else english).format_map(values)


def heading(english: str) -> str:
    """Return the heading of a column; one that is not known, such as one that is in its language already, as it is."""
    from growbin_jobs.cli.person import language

    return HEADINGS.get(english, english) if language() == "ko" else english
