"""The answer inside its wrapping: servers put right answers into code fences, thoughts, parts and byte order marks.

Each of these is taken off once, in one place; what is inside is then validated strictly.
"""

import re
from typing import Final

#: A whole answer between code fences (crewAIInc/crewAI#4641).
_FENCED: Final = re.compile(r"```[\w+-]*[ \t]*\r?\n(.*?)\r?\n?```", re.DOTALL)

#: Kinds of parts that are no answer (Mistral's ``thinking``, vercel/ai#13688).
_THOUGHTS: Final = frozenset({"thinking", "reasoning", "refusal"})

#: What stands around thoughts that a server left in the answer (vllm-project/vllm#13125): models of DeepSeek, Qwen and
#: many others, Mistral, Seed, Kimi, Gemma.
_TAGS: Final = (
    ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"), ("<unused94>", "<unused95>"),
)  # fmt: skip
#: What stands before the answer itself in the form of gpt-oss; all before it are thoughts.
_FINAL: Final = "<|channel|>final<|message|>"
#: A template's own marks that were not taken off, at either end; how many of them are looked for, and their length.
_MARK: Final = re.compile(r"<\|[\w ]{1,40}\|>|</s>|<end_of_turn>|<eos>")
_MOST_MARKS: Final = 8
_LONGEST_MARK: Final = 44


def unwrapped(content: object) -> str:
    """Return the text of an answer; empty where there is none.

    Parameters:
      content: Of the message: text, a part, or a list of parts and texts (vercel/ai#13703).
    """
    text = _joined(content).replace("\ufeff", "").strip()
    text = _without_marks(_without_thoughts(text))
    fenced = _FENCED.fullmatch(text)
    return fenced[1].strip() if fenced else text


def _joined(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = (_text(part) if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _text(part: dict[str, object]) -> object:
    return None if part.get("type") in _THOUGHTS else part.get("text")


def _without_thoughts(text: str) -> str:
    """Take off reasoning that a server left in the answer; its opening tag is often in the prompt."""
    text = text.rpartition(_FINAL)[2]
    for opening, closing in _TAGS:
        thoughts, closed, answer = text.partition(closing)
        if closed and (thoughts.startswith(opening) or opening not in thoughts):
            return answer.strip()
        if text.startswith(opening):
            return ""
    return text


def _without_marks(text: str) -> str:
    for _ in range(_MOST_MARKS):
        if first := _MARK.match(text):
            text = text[first.end() :].lstrip()
    for _ in range(_MOST_MARKS):
        end = text[-_LONGEST_MARK:]
        last = next((found for found in _MARK.finditer(end) if found.end() == len(end)), None)
        if last is None:
            break
        text = text[: -len(last[0])].rstrip()
    return text
