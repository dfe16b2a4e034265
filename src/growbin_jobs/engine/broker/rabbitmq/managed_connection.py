"""One connection to RabbitMQ that a thread of its own keeps open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import Backoff
from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq.completion import reject
from growbin_jobs.engine.broker.rabbitmq.errors import cause_of, describe, explain, is_refusal, refused, unreachable
from growbin_jobs.engine.broker.rabbitmq.frames import connection_class
from growbin_jobs.engine.broker.rabbitmq.loop_thread import LoopThread
from growbin_jobs.engine.broker.rabbitmq.servers import labelled, setting_of

T = TypeVar("T")

#: Seconds before the first try to connect again and the most; the random factor.
FIRST_PAUSE, LAST_PAUSE, JITTER = 0.1, 5.0, (0.5, 1.5)


@dataclass(eq=False)
class _Task:
    """Work on a channel of its own."""

    work: Callable[[Channel, Future[Any]], None]
    future: Future[Any] = field(default_factory=Future)


class ManagedConnection(LoopThread):
    """A connection that opens at its first use, and again whenever it is lost.

    Everything of pika happens on the link's own thread, which is a greenlet where gevent has patched
    :mod:`threading`: heartbeats go out whatever the workers do. All public methods may be called from any thread.

    Attributes:
      setting: Name of the setting with the servers' addresses.
      state: How the connection is, in words for error messages.
      closing: True from the beginning of the end.

    Parameters:
      label: What it is for; shown among RabbitMQ's connections and in logs.
      parameters: Servers to try, in this order, at every attempt.
      on_open: Called on the link's thread with each new connection.
      on_refused: Called on the link's thread when RabbitMQ refuses the login: waiting longer is no use.
      patient: False: when no server can be reached, what waits fails at once instead of at its own time.
    """

    def __init__(
        self,
        label: str,
        parameters: Sequence[pika.URLParameters],
        *,
        on_open: Callable[[SelectConnection], None] | None = None,
        on_refused: Callable[[Exception], None] | None = None,
        patient: bool = True,
    ) -> None:
        super().__init__(label)
        self.state = "not connected yet"
        self._parameters = [labelled(one, label) for one in parameters]
        self.setting = setting_of(parameters)
        self._on_open = on_open
        self._on_refused = on_refused
        self._patient = patient
        # From here on: of the link's thread only.
        self._connection: SelectConnection | None = None
        self._tasks: list[_Task] = []
        self._backoff = Backoff(FIRST_PAUSE, LAST_PAUSE, JITTER)

    # --- from any thread

    def run(self, work: Callable[[Channel, Future[T]], None]) -> Future[T]:
        """Run work on a channel of its own as soon as there is a connection.

        When the connection is lost before the work has settled its future, it runs again on the next one: it must be
        idempotent. The channel stays open; the work closes it if it wants to.

        Parameters:
          work: Called on the link's thread with the open channel and the future to settle.

        Returns:
          The future. A caller who stops waiting cancels it.
        """
        task = _Task(work)
        self.call(partial(self._begin, task))
        return task.future

    def wait(self, future: Future[T], timeout: float, what: str) -> T:
        """Wait for the outcome of work.

        Parameters:
          timeout: Seconds.
          what: What RabbitMQ was asked to do, for the message of the error.

        Raises:
          BrokerUnavailable: It did not do it in time.
        """
        try:
            return future.result(max(timeout, 0.0))
        except TimeoutError:
            raise BrokerUnavailable(f"RabbitMQ did not {what} in time ({self.state}).") from None

    def close(self, timeout: float = 5.0) -> None:
        """Close the connection and end the thread; what still waits fails. Closing twice is fine.

        Parameters:
          timeout: Seconds to wait for RabbitMQ's answer.
        """
        self._end(partial(self._shut, timeout), timeout + 1.0)

    # --- on the link's thread

    def _on_start(self) -> None:
        self._connect()

    def _on_failure(self) -> None:
        if self._connection is None:
            self._connect_again()

    def _connect(self) -> None:
        if not self.closing:
            connection_class().create_connection(self._parameters, self._connected, custom_ioloop=self._loop)

    def _connected(self, result: SelectConnection | BaseException) -> None:
        if isinstance(result, BaseException):
            self._not_connected(result)
            return
        if self.closing or self._connection is not None:
            result.close()
            return
        self._backoff.reset()
        self._connection = result
        self.state = f"connected to {result.params.host}:{result.params.port}"
        events.CONNECTED.emit(connection=self.label, server=f"{result.params.host}:{result.params.port}")
        result.add_on_close_callback(self._lost)
        if self._on_open:
            self._on_open(result)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            self._begin(task)

    def _not_connected(self, failure: BaseException) -> None:
        failures = list(getattr(failure, "exceptions", [failure]))
        refusal = next((one for one in map(cause_of, failures) if is_refusal(one)), None)
        refused_by = None if refusal is None else refused(self._parameters, refusal)
        self.state = f"not connected: {refused_by or unreachable(failures[-1])}"
        if refused_by is not None:
            self._fail_waiting(refused_by)
        elif not self._patient:
            self._fail_waiting(BrokerUnavailable(f"RabbitMQ cannot be reached ({self.state})."))
        self._connect_again()

    def _lost(self, _connection: SelectConnection, reason: BaseException) -> None:
        self._connection = None
        self.state = f"not connected: {describe(reason)}"
        if self.closing:
            self._stop()
        else:
            events.CONNECTION_LOST.emit(connection=self.label, reason=describe(reason))
            self._connect_again()

    def _connect_again(self) -> None:
        if self.closing:
            self._stop()
            return
        self._tasks = [task for task in self._tasks if not task.future.done()]
        pause = self._backoff.failed()
        if self._backoff.failures > 1:
            events.CONNECT_FAILED.emit(connection=self.label, next_try_in=pause, reason=self.state)
        self._loop.call_later(pause, self._connect)

    def _begin(self, task: _Task) -> None:
        if task.future.done():
            return
        if self.closing:
            reject(task.future, BrokerUnavailable("The connection to RabbitMQ has been closed."))
        elif self._connection is None or not self._connection.is_open:
            self._tasks.append(task)
        else:
            channel = self._connection.channel(on_open_callback=partial(self._work, task))
            channel.add_on_close_callback(partial(self._task_channel_closed, task))

    def _work(self, task: _Task, channel: Channel) -> None:
        if task.future.done():
            channel.close()
            return
        try:
            task.work(channel, task.future)
        except Exception as error:  # it would fail on the next connection too
            reject(task.future, error)
            channel.close()

    def _task_channel_closed(self, task: _Task, _channel: Channel, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByBroker):
            reject(task.future, explain(reason, self.setting))
        else:
            self._begin(task)

    def _fail_waiting(self, error: Exception) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            reject(task.future, error)
        if self._on_refused:
            self._on_refused(error)

    def _shut(self, timeout: float) -> None:
        self.closing = True
        self._loop.call_later(timeout, self._stop)
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
        elif self._connection is None:
            self._stop()

    def _stop(self) -> None:
        self._fail_waiting(BrokerUnavailable("The connection to RabbitMQ has been closed."))
        self._loop.sever()
        self._loop.stop()
