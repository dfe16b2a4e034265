"""Middleware hooks without the calls that do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import MiddlewareError

Hooks = tuple[Callable[..., Any], ...]


class FastHooks(Broker):
    """Emits signals as Dramatiq's broker does, to those middleware that have something to do with them.

    A message passes six signals. Dramatiq calls every middleware for each, and nearly all of these calls come to the
    empty methods of the base class.

    A middleware with a ``position`` keeps it wherever it was added: one below 0 is outside of all others, one above 0
    inside. So what brackets a run brackets also what an application's own middleware does.
    """

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        self._before: dict[str, Hooks] = {}
        self._after: dict[str, Hooks] = {}
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
                return
            if stays is not None:
                self.middleware.remove(each)
                break
        super().add_middleware(middleware, before=before, after=after)
        self._before.clear()
        self._after.clear()

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Tell the middleware, first to last; only a ``MiddlewareError`` stops it."""
        hooks = self._before.get(signal)
        if hooks is None:
            hooks = self._before[signal] = self._having("before_" + signal)
        for hook in hooks:
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:
                self.logger.critical("Unexpected failure in before_%s of %r.", signal, hook, exc_info=True)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Tell the middleware, last to first."""
        hooks = self._after.get(signal)
        if hooks is None:
            hooks = self._after[signal] = self._having("after_" + signal)[::-1]
        for hook in hooks:
            try:
                hook(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in after_%s of %r.", signal, hook, exc_info=True)

    def _having(self, name: str) -> Hooks:
        empty = getattr(Middleware, name)
        ordered = sorted(self.middleware, key=lambda each: getattr(each, "position", 0))
        found = [getattr(middleware, name) for middleware in ordered]
        return tuple(hook for hook in found if getattr(hook, "__func__", None) is not empty)
