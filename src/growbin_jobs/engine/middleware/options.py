"""Options of actors and of messages: what each may be, checked where it is given and again before a message runs.

Dramatiq looks at an option when it needs it, deep in a worker, and a wrong one then ends a thread or is logged and
ignored. Here a wrong option of an actor fails at its declaration and a wrong one of a message fails in ``send``. What
somebody else has put into a message that is in a queue already makes it a dead letter that says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dramatiq import Actor, Message, Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import MiddlewareError

from growbin_jobs.engine.delivery.admission import Unsendable, check_names
from growbin_jobs.engine.delivery.encoders import check_encoder
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.text import plain

#: Milliseconds that any option may be at most: some 31 years.
LONGEST = 10**12


class OptionInvalid(ConfigurationError, MiddlewareError, ValueError):
    """An option is none that can be obeyed. The text names it and what it may be."""


class OptionCheck(Middleware):
    """Reads the options of actors when they are declared, and those of messages when they are sent and before they run.

    What can be read in one way is accepted and put into its usual form: a ``timedelta`` becomes milliseconds, an actor
    its name.
    """

    #: Nothing to do in ``before_enqueue`` for a message without options (:mod:`growbin_jobs.engine.fast.hooks`).
    only_options = True

    def before_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        _refuse_what_cannot_be_sent(actor)
        if isinstance(actor.priority, bool) or not isinstance(actor.priority, int):
            raise OptionInvalid(f"Actor {actor.actor_name}: priority must be a whole number.")
        _refuse_what_never_runs(actor)
        try:
            actor.options.update(read_all(actor.options))
        except OptionInvalid as error:
            raise OptionInvalid(f"Actor {actor.actor_name}: {error}") from None

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        if message.options:
            message.options.update(read_all(message.options))
            if message.options.get("throws") is not None:
                raise OptionInvalid("throws: a class of errors cannot travel in a message. Give it to the actor.")

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return any(actor.options.get(name) for name in TARGETS)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            return
        try:
            if message.options:
                check_message(message.options)
            _check_targets(broker, message)
        except OptionInvalid as error:
            message.give_up("request_invalid", {"detail": str(error)})  # so that it is not run


def read_all(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that this module knows, in their usual form.

    Raises:
      OptionInvalid: If one cannot be read.
    """
    return {name: READERS[name](name, value) for name, value in options.items() if name in READERS}


def check_message(options: dict[str, Any]) -> None:
    """Read the options of a message that was delivered.

    Raises:
      OptionInvalid: If one cannot be read.
    """
    read_all(options)
    if options.get("throws"):
        # Dramatiq's worker would take it for a class, and its thread would end.
        raise OptionInvalid("throws: a class of errors cannot travel in a message. Give it to the actor.")


# --- one reader for each kind; each gets the option's name and value


def milliseconds(name: str, value: Any) -> int | float:
    """Read a duration: milliseconds or a timedelta."""
    if isinstance(value, timedelta):
        value = value.total_seconds() * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be milliseconds from 0 to {LONGEST}, or a timedelta.")
    return int(value)


def _milliseconds_or_none(name: str, value: Any) -> int | float | None:
    return None if value is None else milliseconds(name, value)


def _time_limit(name: str, value: Any) -> int | float | None:
    if value is None or value == math.inf:
        return value  # type: ignore[no-any-return]
    read = milliseconds(name, value)
    if not read:
        raise OptionInvalid(f"{name}=0: an actor needs some time. For no limit give float('inf').")
    return read


def _retries(name: str, value: Any) -> int | None:
    if value is None or value == math.inf:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be a whole number from 0, or None: no end.")
    return value


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be a function.")
    return value


def _errors(name: str, value: Any) -> Any:
    classes = value if isinstance(value, tuple) else (value,)
    if value is not None and not all(isinstance(each, type) and issubclass(each, BaseException) for each in classes):
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be a class of errors, or a tuple of them.")
    return value


def _actor_name(name: str, value: Any) -> str | None:
    value = getattr(value, "actor_name", value)
    if value is not None and not (isinstance(value, str) and plain(value) == value):
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be an actor or its name.")
    return value or None


def _flag(name: str, value: Any) -> bool | None:
    if value not in (None, True, False):
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be True or False.")
    return None if value is None else bool(value)


def _message(name: str, value: Any) -> Any:
    fields: dict[str, Any] = {
        "queue_name": str,
        "actor_name": str,
        "args": (list, tuple),
        "kwargs": dict,
        "options": dict,
    }
    depth, inner = 0, value
    while inner is not None:  # a pipeline holds the next message, which holds the one after it
        if not isinstance(inner, dict) or not all(isinstance(inner.get(key), kind) for key, kind in fields.items()):
            raise OptionInvalid(f"{name}: it must be a message as Message.asdict() returns it.")
        if not isinstance(inner.get("message_id", ""), str) or not _is_time(inner.get("message_timestamp", 0)):
            raise OptionInvalid(f"{name}: its message_id must be text and its message_timestamp milliseconds.")
        read_all({key: each for key, each in inner["options"].items() if key != "pipe_target"})
        depth, inner = depth + 1, inner["options"].get("pipe_target")
        if depth > MOST_STAGES:
            raise OptionInvalid(f"{name}: a pipeline has at most {MOST_STAGES} stages.")
    return value


def _is_time(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _messages(name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, list):
        raise OptionInvalid(f"{name}: it must be a list of messages.")
    for each in value or ():
        _message(name, each)
    return value


def _text(name: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and plain(value) == value):
        raise OptionInvalid(f"{name}={plain(value)!r}: it must be text.")
    return value


#: Stages of a pipeline at most: each holds all that follow, so its size grows with them.
MOST_STAGES = 500

READERS: dict[str, Callable[[str, Any], Any]] = {
    "max_retries": _retries,
    "min_backoff": milliseconds,
    "max_backoff": milliseconds,
    "retry_when": _function,
    "throws": _errors,
    "on_retry_exhausted": _actor_name,
    "on_give_up": _function,
    "time_limit": _time_limit,
    "max_age": _milliseconds_or_none,
    "notify_shutdown": _flag,
    "on_success": _actor_name,
    "on_failure": _actor_name,
    "pipe_ignore": _flag,
    "pipe_target": _message,
    "delay": _milliseconds_or_none,
    "group_completion_uuid": _text,
    "group_completion_callbacks": _messages,
    "store_results": _flag,
    "result_ttl": _milliseconds_or_none,
}

#: Options that name the actor to which something is sent at the end of a run.
TARGETS = ("on_success", "on_failure", "on_retry_exhausted")


def _check_targets(broker: Broker, message: Any) -> None:
    """Refuse to run what would have to tell an actor that this worker does not know."""
    actor = broker.actors.get(message.actor_name)
    of_actor = actor.options if actor is not None else {}
    if not of_actor and not message.options:
        return
    for name in TARGETS:
        target = message.options.get(name) or of_actor.get(name)
        if target and target not in broker.actors:
            raise OptionInvalid(f"{name} names the actor {target}, which this worker does not know. Import its module.")


def _refuse_what_cannot_be_sent(actor: Actor[Any, Any]) -> None:
    """Refuse names that no message may carry, and an encoder that no message may go through."""
    try:
        check_names(actor.queue_name, actor.actor_name)
        check_encoder()
    except (Unsendable, ConfigurationError) as error:
        raise OptionInvalid(f"Actor {str(plain(actor.actor_name))[:100]}: {error}") from None


def _refuse_what_never_runs(actor: Actor[Any, Any]) -> None:
    """Refuse functions whose body a call does not run: Dramatiq would count their messages as done."""
    import inspect

    its = (actor.fn, getattr(actor.fn, "perform", None), type(actor.fn).__call__)
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in its):
        raise OptionInvalid(
            f"Actor {actor.actor_name}: it has a yield, so a call of it runs nothing. Let it loop over the values "
            "itself, or send a message for each."
        )
    if any(inspect.iscoroutinefunction(each) for each in its[1:]):
        raise OptionInvalid(
            f"Actor {actor.actor_name}: Dramatiq awaits async functions, not methods. Let the method be a plain one, "
            "or declare an async function with @dramatiq.actor."
        )
