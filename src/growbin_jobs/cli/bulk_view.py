"""Bulk jobs on a terminal, in two languages."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli import target
from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.times import local
from growbin_jobs.operations.bulk import TYPED_ABOVE, BulkView
from growbin_jobs.reasons import Language
from growbin_jobs.sentences import Words, worded

_WORDS: Final[Words] = {
    "none": {"en": "No bulk job was started yet.", "ko": "아직 시작한 일괄 작업이 없습니다."},
    "title": {"en": "bulk {id}", "ko": "일괄 작업 {id}"},
    "state": {"en": "state", "ko": "상태"},
    "name": {"en": "name", "ko": "이름"},
    "what": {"en": "what", "ko": "하는 일"},
    "progress": {"en": "done", "ko": "완료"},
    "refused": {"en": "not possible", "ko": "불가능"},
    "by": {"en": "by", "ko": "실행한 사람"},
    "made": {"en": "made", "ko": "만든 시각"},
    "reasons": {"en": "reasons", "ko": "이유"},
    "actors": {"en": "actors", "ko": "작업 종류"},
    "able": {"en": "can be done", "ko": "가능"},
    "money": {"en": "money", "ko": "예상 비용"},
    "minutes": {"en": "minutes", "ko": "예상 시간(분)"},
    "decided by": {"en": "{minutes} (decided by {name})", "ko": "{minutes} ({name} 한도가 결정)"},
    "saved": {"en": "saved answers, which cost nothing", "ko": "저장된 답(비용 없음)"},
    "unknown": {"en": "not known", "ko": "알 수 없음"},
    "draft": {
        "en": "Nothing is done yet. To do it to these: growbin-jobs bulk start {id}{count}",
        "ko": "아직 아무 일도 하지 않았습니다. 이대로 하려면: growbin-jobs bulk start {id}{count}",
    },
    "waiting": {
        "en": "It begins in {seconds} s. To take it back: growbin-jobs bulk undo {id}",
        "ko": "{seconds}초 뒤에 시작합니다. 되돌리려면: growbin-jobs bulk undo {id}",
    },
}


def print_jobs(jobs: Sequence[BulkView], language: Language) -> None:
    """Print the jobs, one on a line."""
    if not jobs:
        say(worded(_WORDS, "none", language))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "state", "what", "progress", "refused", "by", "made", "name"):
        table.add_column(column if column == "id" else worded(_WORDS, column, language))
    for job in jobs:
        table.add_row(
            job.id, job.state, job.verb, f"{job.done}/{job.total}", str(job.refused), one_line(job.by),
            local(job.created_at), Text(one_line(job.name)),
        )  # fmt: skip
    out.print(table)


def print_job(job: BulkView, language: Language) -> None:
    """Print all of one, and what can be done next."""
    print_title(worded(_WORDS, "title", language, id=job.id))
    shown, words = job.preview, {name: text[language] for name, text in _WORDS.items()}
    rows: list[tuple[str, str]] = [(words["state"], job.state), (words["what"], f"{job.verb} × {job.total}")]
    if job.name:
        rows.insert(0, (words["name"], one_line(job.name)))
    rows.append((words["able"], str(shown.get("able"))))
    rows += [(words[name], _counts(shown.get(name, {}))) for name in ("reasons", "actors") if shown.get(name)]
    expected = shown.get("expected")
    if expected:
        money = expected["micro_dollars"]
        rows.append((words["money"], words["unknown"] if money is None else f"${money / 1e6:.2f}"))
        minutes = f"{expected['minutes']:g}"
        who = expected["decided_by"]
        rows.append((words["minutes"], words["decided by"].format(minutes=minutes, name=who) if who else minutes))
        if expected["saved"]:
            rows.append((words["saved"], str(sum(expected["saved"].values()))))
    if job.state != "draft":
        rows.append((words["progress"], f"{job.done}/{job.total}"))
    print_facts([*rows, (words["by"], one_line(job.by))])
    for problem, number in shown.get("refused", {}).items():
        out.print(Text(f"{number} × {one_line(problem)}", "yellow"), soft_wrap=True)
    for aim, problem in job.problems.items() if job.state != "draft" else ():
        out.print(Text(f"{one_line(aim)}: {one_line(problem)}", "dim"), soft_wrap=True)
    known_as = f"{job.id}{target.option()}"
    if job.state == "draft":
        say(words["draft"].format(id=known_as, count=f" --count {job.total}" if job.total > TYPED_ABOVE else ""))
    elif job.state == "waiting":
        say(words["waiting"].format(id=known_as, seconds=round(job.undo_seconds)))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{one_line(name)} {number}" for name, number in counts.items())
