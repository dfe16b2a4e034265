"""A proof on a terminal."""

from typing import Final

from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.proofs.parts import Part, Proof, Verdict

_STYLES: Final = {Verdict.HOLDS: "bold green", Verdict.INCOMPLETE: "bold yellow", Verdict.BROKEN: "bold red"}
_WORDS: Final = {
    Verdict.HOLDS: "All was checked, and it holds.",
    Verdict.INCOMPLETE: "Nothing is wrong in what could be checked; not all could be.",
    Verdict.BROKEN: "It does not hold.",
}

#: Findings of a part that are shown.
_SHOWN: Final = 20


def print_proof(proof: Proof) -> None:
    """Print what was proven, part by part."""
    span = {"since": local(proof.since), "until": local(proof.until), "zone": zone_name()}
    print_title(spoken("{since} to {until} ({zone})", **span))
    for part in proof.parts:
        _print_part(part)
    for each in proof.limits_of_proof:
        say(spoken("Not shown by any proof: {what}", what=each), "dim")
    say(spoken(_WORDS[proof.verdict]), _STYLES[proof.verdict])


def _print_part(part: Part) -> None:
    head = Text.assemble((f"\n{part.name.replace('_', ' ')}  ", "bold"), (part.verdict.value, _STYLES[part.verdict]))
    out.print(head, soft_wrap=True)
    out.print(Text(part.claim, "dim"), soft_wrap=True)
    print_facts([(name, str(number)) for name, number in part.counted.items()])
    for wrong in part.wrong[:_SHOWN]:
        line = Text.assemble((f"{wrong.kind.value:6}", "bold red"), f"  {one_line(wrong.what)}  {one_line(wrong.why)}")
        out.print(line, soft_wrap=True)
    if part.wrong_in_all > _SHOWN:
        more = spoken("… {number} in all; --json names up to 100.", number=part.wrong_in_all)
        out.print(Text(more), soft_wrap=True)
    for sentence in part.unchecked:
        out.print(Text.assemble((spoken("not checked") + "  ", "yellow"), one_line(sentence)), soft_wrap=True)
