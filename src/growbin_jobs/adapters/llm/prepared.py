"""A request and how its reply is read: the same whether it is sent by itself or in a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from growbin_jobs.adapters.llm.call import Call, Message
from growbin_jobs.adapters.llm.fitting import Wish
from growbin_jobs.adapters.llm.normalised import Also
from growbin_jobs.adapters.llm.reply import Completion, Reply
from growbin_jobs.adapters.llm.structured import Schema, form_of, validated

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Prepared(Generic[Answer]):
    """What is asked, and how the reply is read.

    Attributes:
      wish: The request, as for a server that takes everything.
      read: Returns the validated answer of a reply, or raises ``Transient``.
    """

    wish: Wish
    read: Callable[[Reply], Completion[Answer]]


def structured(
    call: Call,
    messages: Sequence[Message],
    schema: type[Schema],
    *,
    in_words: str,
    inline: Callable[[], str] | None = None,
    also: Also | None = None,
) -> Prepared[Schema]:
    """Return a request for an answer in the form of a schema; see :meth:`ModelClient.ask` for the parameters."""
    wish = Wish(call, messages, form_of(schema, in_words), inline)
    return Prepared(wish, lambda reply: validated(reply, call.model, schema, also))


def plain(call: Call, messages: Sequence[Message], check: Callable[[str], str]) -> Prepared[str]:
    """Return a request for text; see :meth:`ModelClient.ask_text` for the parameters."""
    return Prepared(
        Wish(call, messages),
        lambda reply: Completion(check(reply.content), reply.model or call.model, reply.usage, reply.request_id),
    )
