"""Queues, pauses, and dropped messages on a terminal, in two languages."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli import target
from growbin_jobs.cli.console import one_line, out, print_line, say
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.engine.control.history import ControlEvent
from growbin_jobs.engine.task_results import State
from growbin_jobs.operations.control import Changed, Dropped, Pause, QueueStatus
from growbin_jobs.reasons import Language
from growbin_jobs.sentences import Words, worded

_WORDS: Final[Words] = {
    "queue": {"en": "queue", "ko": "대기열"},
    "actor": {"en": "actor", "ko": "작업"},
    "ready": {"en": "ready", "ko": "대기"},
    "reserved": {"en": "reserved", "ko": "선점"},
    "running": {"en": "running", "ko": "실행 중"},
    "delayed": {"en": "delayed", "ko": "예약"},
    "dead": {"en": "dead", "ko": "실패"},
    "paused": {"en": "paused", "ko": "일시 중지"},
    "no queues": {
        "en": "There are no queues yet: start a worker, or send a message.",
        "ko": "아직 대기열이 없습니다. 워커를 시작하거나 메시지를 보내세요.",
    },
    "by": {"en": "by {by} since {since}", "ko": "{by}, {since}부터"},
    "until": {"en": " until {until}", "ko": " {until}까지"},
    "times": {"en": "Times in {zone}.", "ko": "시각은 {zone} 기준입니다."},
    "pauses": {
        "en": "The {target} {name} pauses within two seconds on all nodes{until}. To go on: {command}",
        "ko": "2초 안에 모든 노드에서 {target} {name}이(가) 일시 중지됩니다{until}. 다시 시작하려면: {command}",
    },
    "paused already": {
        "en": "The {target} {name} was paused already; it has the new reason{until}.",
        "ko": "{target} {name}은(는) 이미 일시 중지되어 있었고, 사유를 새로 기록했습니다{until}.",
    },
    "resumes": {
        "en": "The {target} {name} goes on within two seconds.",
        "ko": "2초 안에 {target} {name}이(가) 다시 시작됩니다.",
    },
    "pause": {"en": "paused", "ko": "일시 중지"},
    "resume": {"en": "resumed", "ko": "다시 시작"},
    "no history": {"en": "Nobody has paused anything.", "ko": "일시 중지한 기록이 없습니다."},
    "was not paused": {
        "en": "The {target} {name} was not paused.",
        "ko": "{target} {name}은(는) 일시 중지되어 있지 않습니다.",
    },
    "revoke": {
        "en": "{id} will not run: it is dropped when its turn comes.",
        "ko": "{id}은(는) 실행되지 않습니다. 차례가 오면 버려집니다.",
    },
    "revoke running": {
        "en": "{id} runs already and goes on; only another run of it is prevented. To interrupt it: {command}",
        "ko": "{id}은(는) 이미 실행 중이며 계속됩니다. 다시 실행되는 것만 막습니다. 중단하려면: {command}",
    },
    "abort": {
        "en": "{id} will not run; if it runs now, it is interrupted within two seconds.",
        "ko": "{id}은(는) 실행되지 않습니다. 지금 실행 중이면 2초 안에 중단됩니다.",
    },
    "unknown": {
        "en": "Nobody has seen this id so far. It is dropped if it ever comes.",
        "ko": "아직 아무도 본 적이 없는 id입니다. 나중에 오더라도 버려집니다.",
    },
    "withdraw": {"en": "{id} may run.", "ko": "{id}은(는) 실행될 수 있습니다."},
    "nothing to withdraw": {
        "en": "{id} was neither revoked nor aborted, or was dropped a while ago.",
        "ko": "{id}은(는) 취소되거나 중단된 적이 없거나, 버려진 지 오래되었습니다.",
    },
    "ended": {"en": "{id} has ended already: {state}.", "ko": "{id}은(는) 이미 끝났습니다: {state}."},
}

_word = partial(worded, _WORDS)


def print_queues(queues: Sequence[QueueStatus], actors: Sequence[Pause], language: Language) -> None:
    """Print queues as a table, and below it what is paused."""
    if not queues:
        say(_word("no queues", language))
    else:
        table = Table(box=None, pad_edge=False)
        table.add_column(_word("queue", language), no_wrap=True, overflow="fold")
        for column in ("ready", "reserved", "running", "delayed", "dead"):
            table.add_column(_word(column, language), justify="right")
        for each in queues:
            numbers = (each.ready, each.reserved, each.running, each.delayed, each.dead)
            name = Text(one_line(each.name), style="yellow" if each.paused else "")
            table.add_row(name, *("?" if n is None else str(n) for n in numbers))
        out.print(table)
    pauses = [*(each.paused for each in queues if each.paused is not None), *actors]
    for pause in pauses:
        line = f"{_word(pause.target, language)} {one_line(pause.name)}: {_word('paused', language)} "
        out.print(Text(line + _why(pause, language), style="yellow"), soft_wrap=True)
    if pauses:
        say(_word("times", language, zone=zone_name()), "dim")


def print_paused(done: Changed, language: Language) -> None:
    """Print what became of a pause."""
    option = "--actor " if done.target == "actor" else ""
    until = done.pause.until_at if done.pause is not None else None
    words = worded(
        _WORDS,
        "pauses" if done.changed else "paused already",
        language,
        target=_word(done.target, language),
        name=one_line(done.name),
        until="" if until is None else _word("until", language, until=local(until)),
        command=f"growbin-jobs queues resume{target.option()} {option}{one_line(done.name)}",
    )
    print_line(words)


def print_history(told: Sequence[ControlEvent], language: Language) -> None:
    """Print who has paused and resumed what, a line each."""
    if not told:
        print_line(_word("no history", language))
    for each in told:
        line = Text.assemble(
            local(each.at), "  ", (f"{_word(each.action, language):<8}", "bold"), f"  {_word(each.target, language)} ",
            f"{one_line(each.name)}  ", (one_line(each.by) or "–", "bold"),
        )  # fmt: skip
        if each.until is not None:
            line.append(_word("until", language, until=local(each.until)), "dim")
        if each.reason:
            line.append(f"  {one_line(each.reason)}", "italic")
        out.print(line, soft_wrap=True)


def print_resumed(done: Changed, language: Language) -> None:
    """Print what became of a resume."""
    words = "resumes" if done.changed else "was not paused"
    print_line(_word(words, language, target=_word(done.target, language), name=one_line(done.name)))


def print_dropped(done: Dropped, language: Language) -> None:
    """Print what became of a revocation, an abortion, or its withdrawal."""
    known = {"id": one_line(done.task_id), "state": done.state.value}
    if done.action == "withdraw":
        print_line(_word("withdraw" if done.accepted else "nothing to withdraw", language, **known))
        return
    if not done.accepted:
        print_line(_word("ended", language, **known))
        return
    if done.action == "revoke" and done.state is State.STARTED:
        command = f"growbin-jobs tasks abort{target.option()} {known['id']}"
        print_line(_word("revoke running", language, **known, command=command))
        return
    print_line(_word(done.action, language, **known))
    if done.state is State.UNKNOWN:
        say(_word("unknown", language))


def _why(pause: Pause, language: Language) -> str:
    words = _word("by", language, by=one_line(pause.by), since=local(pause.since_at))
    if pause.until_at is not None:
        words += _word("until", language, until=local(pause.until_at))
    return f"{words}: {one_line(pause.reason)}"
