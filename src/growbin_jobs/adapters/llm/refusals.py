"""Finds the features of a request that a server's refusal names, so that it is asked again without them.

Servers word it differently, yet name what they do not take: ``Unknown name "store"`` (Gemini), ``property 'body.store'
is unsupported`` (Cerebras), ``loc: [body, max_completion_tokens]`` (Mistral, vLLM), ``Unrecognized request argument
supplied: max_completion_tokens`` (Azure), ``'response_format.type' must be 'json_schema' or 'text'`` (LM Studio). The
sources are in ``model_catalog.json``.
"""

import re
from collections.abc import Iterator
from typing import Final

from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import Fitted
from growbin_jobs.adapters.llm.said import LONGEST_QUOTE, Said
from growbin_jobs.errors import Permanent
from growbin_jobs.model_catalog import EFFORTS

#: Statuses of a refusal; a server that fails (500) or does not know (501) counts only where it names it plainly.
_REFUSED: Final = frozenset({400, 404, 415, 422})
_FAILED: Final = frozenset({500, 501})
#: Features whose refusal may come as a failure: of a template that knows no system's role (llama.cpp), of thoughts.
_PLAINLY: Final = frozenset({"reasoning_effort", "role.system"})

#: Words of a feature that stand for nothing else, wherever they are in a sentence.
_PLAIN: Final[dict[str, re.Pattern[str]]] = {
    "max_completion_tokens": re.compile(r"\bmax_?completion_?tokens\b", re.I | re.A),
    "max_tokens": re.compile(r"\bmax_?tokens\b", re.I | re.A),
    "temperature": re.compile(r"\btemperature\b", re.I | re.A),
    "service_tier": re.compile(r"\bservice[_ ]?tier\b|\bflex\b", re.I | re.A),
    "reasoning_effort": re.compile(
        r"\breasoning[_. ]?effort\b|\breasoning value\b|\bthink(?:ing)? (?:value|mode|budget|level)|support thinking"
        r"|\bbudget \d+ is invalid",
        re.I | re.A,
    ),
    "image_url.detail": re.compile(r"image_url\W{1,4}detail\b|\bimage detail\b|'detail' was unexpected", re.I),
    "image_url.object": re.compile(r"image_url\b.{0,60}\b(?:be|expected|valid)\b.{0,12}\bstr(?:ing)?\b", re.I | re.S),
    "image_url.http": re.compile(
        r"\b(?:download|fetch)(?:ing)?\b.{0,40}\b(?:image|media|url|https?:)|remote media urls|"
        r"invalid image input|only (?:support|accept)s?\b.{0,30}\b(?:base64|data)\b|\bmust (?:be|start with)\b.{0,20}"
        r"\b(?:base64|data:|data ur[il])|(?:remote|http) (?:image )?urls? (?:is|are) not"
        r"|\bonly\b.{0,20}\b(?:base64|data ur[il]s?)\b.{0,20}\bsupported|\burl scheme\W{1,4}https?\b",
        re.I | re.S,
    ),
    "role.system": re.compile(
        r"\bsystem\W{0,2} ?(?:role|messages?|prompt|instructions?)\b.{0,30}\bnot\b"
        r"|(?:not|n't) support\w*.{0,12}\bsystem\b"
        r"|incompatible with system (?:messages?|prompts?)"
        r"|\bdeveloper instruction is not enabled|roles must alternate"
        r"|only user(?:,| and) assistant (?:and tool )?roles"
        r"|(?:unknown variant|(?:invalid|unknown|unsupported) role)\W{1,4}system\b",
        re.I | re.S,
    ),
}
_FORMAT: Final = re.compile(
    r"response[_. ]?format|json[_ ]?(?:schema|object|mode)|structured[_ ]?outputs?|guided|grammar|initialize samplers"
    r"|\bschema\b.{0,60}\btoo (?:many|complex|deep|large)",
    re.I,
)
_GRAMMAR: Final = re.compile(r"grammar|initialize samplers|json[_ ]?schema|guided", re.I)
#: What announces a field's name, in the languages of servers; in some it stands behind the name.
_FIELD: Final = (
    r"(?:supplied|parameters?|fields?|arguments?|options?|property|keys?|name|par[aâá]m[eèé]tros?|param[eè]tres?|campos?|champs?"
    r"|feld|параметр|поле|필드|매개 ?변수|파라미터|속성|인자|항목|参数|參數|字段|欄位|属性"
    r"|パラメータ|フィールド|プロパティ)"
)
#: A field's name is a common word ("store"), so that it counts in quotes, where a name is announced, or where it is all
#: that stands before or behind a colon. ``(?a:…)``: a word ends where letters of another script begin.
_ANNOUNCED: Final = (
    r"(?:['\"`‘“«‹「『](?:body\.)?{0}['\"`’”»›」』]"
    rf"|{_FIELD}\W{{{{0,3}}}}(?a:\b)(?:[\w.]{{{{1,40}}}}, ?){{{{0,8}}}}(?:body\.)?{{0}}(?a:\b)"
    rf"|(?a:\b){{0}}\W{{{{0,2}}}}{_FIELD}"
    r"|^\s*(?:body\.)?{0}\s*[:：]|[:：]\s*(?:body\.)?{0}(?: is not (?:allowed|permitted|supported))?\s*[.。!]?\s*$)"
)
_NO_KEYWORD: Final = (
    r"['\"`‘“]{0}['\"`’”]|\bkeyword\W{{1,3}}{0}\b|\b{0} is not (?:supported|permitted|allowed)"
    r"|\bproperties\b[^.:\n]{{0,80}}\b{0}\b[^.:\n]{{0,80}}\bnot (?:supported|permitted|allowed)"  # Anthropic's
)

_TOO_LONG: Final = re.compile(r"context[_ ](?:length|window|size)|prompt is too long", re.I)
#: Where a refusal lists all that a server knows, which is not what it refuses (serde, Jackson).
_LISTED: Final = re.compile(
    r"(?:\bexpected one of|\bdid you mean|(?<!not )(?<!non-)\b(?:allowed|supported|valid|permitted|accepted|known)"
    r" (?:fields|parameters|properties|keys|arguments)(?: are)?)"
    r"\s*[:(\[{]*\s*['\"`\w][^\n]*",
    re.I,
)
_AT_MOST: Final = re.compile(
    r"(?:at most|less than or equal to|<=|up to|\bmaximum\b[^\d\n]{0,60}|range (?:is|of)[^\d\n]{0,60}\d+,)"
    r"\s*`?(\d{2,7})(?!\.?\d)|\d > (\d{2,7})\b|(\d{2,7})\s*(?:이하|以下|or (?:less|fewer))",
    re.I,
)
#: What a server behind calls the cap: TGI's, Google's.
_OTHER_CAPS: Final = re.compile(r"\bmax_?new_?tokens\b|\bmax_?output_?tokens\b", re.I | re.A)
_INSTEAD: Final = re.compile(r"\buse\W{1,3}(max_completion_tokens|max_tokens)\W{1,3}instead", re.I)
_EFFORTS_FOLLOW: Final = re.compile(
    r"one of|(?:must|should) be|supported values|valid (?:levels|values|options)|expected|allowed|accepts?\b|only", re.I
)


#: A server of Python that hands the fields on to a function which does not take one, and fails (Xinference).
_PASSED_ON: Final = re.compile(r"unexpected keyword argument", re.I)


class FieldRefused(Permanent):
    """The server refuses a part of the request and says which; it is asked again without that.

    Parameters:
      facts: What that teaches.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        named = ", ".join(sorted(facts.refused)) or "a value"
        super().__init__("model_rejected_request", status=400, detail=f"it takes no {named}")


def learnt_from(status: int, said: Said, asked: Fitted) -> Facts:
    """Return what a refusal teaches; empty where it names nothing that was sent.

    Parameters:
      status: Of HTTP.
      said: The error.
      asked: The request that was refused.
    """
    if status not in _REFUSED | _FAILED or _TOO_LONG.search(said.text):
        return Facts()
    named = set(_named(said, asked.used))
    if cap := {"max_completion_tokens", "max_tokens"} & asked.used:
        other = _PLAIN["max_tokens"] if "max_completion_tokens" in cap else _PLAIN["max_completion_tokens"]
        is_cap = other.search(said.text) or _OTHER_CAPS.search(said.text)
        if not cap & named and is_cap and _smaller_caps(said.text, asked.cap):
            named |= cap  # servers call both by one name, or by one of their own
    if status in _FAILED and not _PASSED_ON.search(said.text):
        named = {name for name in named if name in _PLAINLY or (_is_format(name) and _GRAMMAR.search(said.text))}
    if status == 404:  # of a gateway that finds no upstream for these parameters
        named &= {"response_format.json_schema", "response_format.json_object", "reasoning_effort", "service_tier"}
    return _facts(named, said, asked)


def _facts(named: set[str], said: Said, asked: Fitted) -> Facts:
    words = said.quote()[:LONGEST_QUOTE]
    efforts: tuple[str, ...] | None = None
    most: int | None = None
    for cap in {"max_completion_tokens", "max_tokens"} & named:
        if fitting := _smaller_caps(said.text, asked.cap):
            most = max(fitting)
            named -= {cap}
    if "reasoning_effort" in named and (efforts := _efforts(said.text, asked.body.get("reasoning_effort"))):
        named -= {"reasoning_effort"}
    wanted = {name.lower() for name in _INSTEAD.findall(said.text)} - named
    return Facts(
        refused=dict.fromkeys(sorted(named), words),
        allowed=frozenset(wanted) if named else frozenset(),
        efforts=efforts or None,
        most_tokens=most,
    )


def _smaller_caps(text: str, cap: int) -> list[int]:
    found = [int(next(filter(None, numbers))) for numbers in _AT_MOST.findall(text)]
    return [number for number in found if 16 <= number < cap]


def _named(said: Said, used: frozenset[str]) -> Iterator[str]:
    steps = {step for name in said.names for step in re.split(r"[./\[\]\s>-]+", name) if step}
    text = _LISTED.sub("", said.text)
    for name in used:
        if name in ("store", "strict"):
            if name in steps or re.search(_ANNOUNCED.format(name), text, re.I | re.M):
                yield name
        elif name in _PLAIN:
            last = name.rpartition(".")[2]
            pointed = name in steps if "." not in name else {"image_url", last} <= steps and last == "detail"
            if pointed or _PLAIN[name].search(text):
                yield name
    yield from _named_of_format(text, steps, used)


def _named_of_format(text: str, steps: set[str], used: frozenset[str]) -> Iterator[str]:
    """Yield the smallest part of the answer's form that is named: a keyword, the strictness, else the form itself."""
    keywords = {
        name for name in used
        if name.startswith("schema.") and re.search(_NO_KEYWORD.format(re.escape(name[7:])), text)
    }  # fmt: skip
    if keywords:
        yield from keywords
    elif "strict" in used and ("strict" in steps or re.search(_ANNOUNCED.format("strict"), text, re.I | re.M)):
        return
    elif steps & {"response_format", "json_schema"} or _FORMAT.search(text):
        yield from (name for name in used if name.startswith("response_format."))


def _is_format(name: str) -> bool:
    return name.startswith(("response_format.", "schema."))


def _efforts(text: str, sent: object) -> tuple[str, ...]:
    """Return the efforts that a refusal offers in place of the one sent."""
    follows = _EFFORTS_FOLLOW.search(text)
    offered = re.findall(r"[a-z_]+", text[follows.start() if follows else 0 :].lower())
    efforts = tuple(effort for effort in EFFORTS if effort in offered and effort != sent)
    return efforts if follows or len(efforts) > 1 else ()  # several are a list, whatever the language
