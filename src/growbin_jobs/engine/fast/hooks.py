"""Middleware hooks without the calls that do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import MiddlewareError

from growbin_jobs.engine.pauses import Pauses

Hooks = tuple[Callable[..., Any], ...]


class FastHooks(Broker):
    """Emits signals as Dramatiq's broker does, to those middleware that have something to do with them.

    A message passes six signals. Dramatiq calls every middleware for each, and nearly all of these calls come to the
    empty methods of the base class.

    A middleware with a ``position`` keeps it wherever it was added: one below 0 is outside of all others, one above 0
    inside. So what brackets a run brackets also what an application's own middleware does.

    Most messages have no options and most actors use few features. A middleware whose hooks around a run have nothing
    to do without its options says so: ``concerns(actor)`` is False for an actor without them, and then the hooks are
    called for messages with options only. With ``only_failures`` it is told of runs that failed only. One that looks at
    the options of a sent message and at nothing else says ``only_options``.

    Attributes:
      pauses: Queues that this process takes nothing from for now.
    """

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        self.pauses = Pauses()
        self.choose_hooks_anew()
        super().__init__(middleware=middleware)

    def add_middleware(
        self,
        middleware: Middleware,
        *,
        before: type[Middleware] | None = None,
        after: type[Middleware] | None = None,
    ) -> None:
        """Add a middleware, last or beside another one.

        One that has its own of the same purpose here decides which of the two stays (``take_over``).
        """
        for each in self.middleware:
            stays = each.take_over(middleware) if hasattr(each, "take_over") else None
            if stays is each:
                self.choose_hooks_anew()
                return
            if stays is not None:
                self.middleware.remove(each)
                break
        super().add_middleware(middleware, before=before, after=after)
        self.choose_hooks_anew()

    def declare_actor(self, actor: Actor[Any, Any]) -> None:
        """Declare an actor; one of the same name replaces it."""
        super().declare_actor(actor)
        self.choose_hooks_anew()

    def choose_hooks_anew(self) -> None:
        """Ask the middleware again what concerns it: it has come to know something, or there is another one."""
        # New ones, not cleared ones: a thread that is asking the middleware now notes what it hears in the former ones.
        self._before: dict[str, Hooks] = {}
        self._after: dict[str, Hooks] = {}
        self._before_plain: dict[str, Hooks] = {}
        self._after_plain: dict[str, Hooks] = {}
        self._heard: dict[str, bool] = {}

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Tell the middleware, first to last; only a ``MiddlewareError`` stops it."""
        if signal == "process_message" and not args[0].options:
            self._before_plain_run(args[0])
            return
        known = self._before
        if signal == "enqueue" and not args[0].options:
            hooks = known.get("enqueue without options")
            if hooks is None:
                hooks = known["enqueue without options"] = tuple(
                    hook for hook in self._having("before_enqueue") if not _only_options(hook)
                )
        else:
            hooks = known.get(signal)
            if hooks is None:
                hooks = known[signal] = self._having("before_" + signal)
        for hook in hooks:
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:
                self.logger.critical("Unexpected failure in before_%s of %r.", signal, hook, exc_info=True)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Tell the middleware, last to first."""
        if signal == "process_message" and "exception" not in kwargs and not args[0].options and not args[0].failed:
            self._after_plain_run(args[0], kwargs.get("result"))
            return
        known = self._after
        hooks = known.get(signal)
        if hooks is None:
            hooks = known[signal] = self._having("after_" + signal)[::-1]
        for hook in hooks:
            try:
                hook(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in after_%s of %r.", signal, hook, exc_info=True)

    # Nearly all runs are these, and to pass arguments on as they came takes a third of what telling them does.

    def _before_plain_run(self, message: Any) -> None:
        hooks = self._before_plain.get(message.actor_name)
        if hooks is None:
            hooks = self._plain(self._before_plain, "before_process_message", message.actor_name)
        for hook in hooks:
            try:
                hook(self, message)
            except MiddlewareError:
                raise
            except Exception:
                self.logger.critical("Unexpected failure in before_process_message of %r.", hook, exc_info=True)

    def _after_plain_run(self, message: Any, result: Any) -> None:
        hooks = self._after_plain.get(message.actor_name)
        if hooks is None:
            hooks = self._plain(self._after_plain, "after_process_message", message.actor_name)
        for hook in hooks:
            try:
                hook(self, message, result=result)
            except Exception:
                self.logger.critical("Unexpected failure in after_process_message of %r.", hook, exc_info=True)

    def heard(self, signal: str) -> bool:
        """Return whether any middleware has something to do before or after a signal."""
        known = self._heard
        heard = known.get(signal)
        if heard is None:
            heard = known[signal] = bool(self._having("before_" + signal) or self._having("after_" + signal))
        return heard

    def _plain(self, known: dict[str, Hooks], name: str, actor_name: str) -> Hooks:
        """Return the hooks of runs without options, and note them for this actor."""
        actor = self.actors.get(actor_name)
        hooks = self._having(name, actor)
        if name == "after_process_message":
            hooks = tuple(
                hook for hook in hooks[::-1] if not getattr(getattr(hook, "__self__", None), "only_failures", False)
            )
        if actor is not None:
            known[actor_name] = hooks
        return hooks

    def _having(self, name: str, actor: Actor[Any, Any] | None = None) -> Hooks:
        empty = getattr(Middleware, name)
        ordered = sorted(self.middleware, key=lambda each: getattr(each, "position", 0))
        if actor is not None:
            ordered = [each for each in ordered if not hasattr(each, "concerns") or each.concerns(actor)]
        found = [getattr(middleware, name) for middleware in ordered]
        return tuple(hook for hook in found if getattr(hook, "__func__", None) is not empty)


def _only_options(hook: Callable[..., Any]) -> bool:
    return bool(getattr(getattr(hook, "__self__", None), "only_options", False))


def acknowledge_without_signals(broker: FastHooks, thread: Any) -> None:
    """Let Dramatiq's consumer thread acknowledge without the signals before and after it, where nobody hears them."""
    settle = thread.post_process_message

    def post_process_message(message: Any) -> None:
        if message.failed or broker.heard("ack"):
            settle(message)
            return
        try:
            thread.consumer.ack(message)
        except Exception:  # Dramatiq logs it, or tries again
            settle(message)

    thread.post_process_message = post_process_message
