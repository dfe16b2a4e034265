"""The answer inside its wrapping: servers put right answers into code fences, thoughts, parts and byte order marks.

Each of these is taken off once, in one place; what is inside is then validated strictly.
"""

import re
from typing import Final

#: A whole answer between code fences (crewAIInc/crewAI#4641).
_FENCED: Final = re.compile(r"```[\w+-]*[ \t]*\r?\n(.*?)\r?\n?```", re.DOTALL)

#: Kinds of parts that are no answer (Mistral's ``thinking``, vercel/ai#13688).
_THOUGHTS: Final = frozenset({"thinking", "reasoning", "refusal"})


def unwrapped(content: object) -> str:
    """Return the text of an answer; empty where there is none.

    Parameters:
      content: Of the message: text, or a list of parts (vercel/ai#13703).
    """
    text = _joined(content).replace("\ufeff", "").strip()
    text = _without_thoughts(text)
    fenced = _FENCED.fullmatch(text)
    return fenced[1].strip() if fenced else text


def _joined(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type") not in _THOUGHTS)
    return "".join(text for text in texts if isinstance(text, str))


def _without_thoughts(text: str) -> str:
    """Reasoning that a server left in the answer (vllm-project/vllm#13125); its opening tag is often in the prompt."""
    thoughts, closing, answer = text.partition("</think>")
    if closing and (thoughts.lstrip().startswith("<think>") or "<think>" not in thoughts):
        return answer.strip()
    return "" if text.startswith("<think>") else text
