"""Pods of a group and the broker before them: what arrives, waits, is fetched, runs and ends, second by second."""

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Pod:
    """One pod.

    Attributes:
      ready_at: Second from which on it takes messages.
      running: For each second of starting, how many run since then.
      fetched: Messages that it holds and has not begun, by when they arrived.
    """

    ready_at: int
    running: deque[list[float]] = field(default_factory=deque)
    fetched: deque[list[float]] = field(default_factory=deque)

    @property
    def busy(self) -> float:
        """Slots that run a message."""
        return sum(count for _, count in self.running)

    @property
    def waiting(self) -> float:
        """Messages that it holds and has not begun."""
        return sum(count for _, count in self.fetched)


@dataclass
class Group:
    """A worker group.

    Attributes:
      slots: Messages that a pod runs at once.
      prefetch: Messages that it holds at most, those that run included.
      seconds: That a message runs.
      cpu: Seconds of a core that a message computes; 0: it only waits.
      cores: A pod has at most.
      calls_per_minute: Of all pods together, at most; None: no limit.
      start: Seconds until a new pod takes messages.
    """

    slots: int
    prefetch: int
    seconds: int
    cpu: float = 0.0
    cores: float = 2.0
    calls_per_minute: float | None = None
    start: int = 30
    pods: list[Pod] = field(default_factory=list)
    queue: deque[list[float]] = field(default_factory=deque)
    done: float = 0.0
    waited: list[tuple[float, float]] = field(default_factory=list)

    @property
    def capacity(self) -> float:
        """Messages a second that one pod can end."""
        by_slots = self.slots / self.seconds
        return min(by_slots, self.cores / self.cpu) if self.cpu else by_slots

    @property
    def ready(self) -> float:
        """Messages that wait in the broker."""
        return sum(count for _, count in self.queue)

    @property
    def unacknowledged(self) -> float:
        """Messages that pods hold."""
        return sum(pod.busy + pod.waiting for pod in self.pods)

    @property
    def busy(self) -> float:
        """Slots that run a message."""
        return sum(pod.busy for pod in self.pods)

    def cores_used(self, now: int) -> float:
        """Return the cores that are busy, of all pods."""
        begun = sum(count for pod in self.pods for at, count in pod.running if at == now)
        return begun * self.cpu

    def scale(self, count: int, now: int) -> None:
        """Add pods, or take the youngest away; what those held goes back to the head of the queue."""
        while len(self.pods) < count:
            self.pods.append(Pod(now + self.start))
        while len(self.pods) > count:
            gone = self.pods.pop()
            held = gone.busy + gone.waiting
            if held:
                self.queue.appendleft([float(now), held])

    def second(self, now: int, arriving: float) -> None:
        """Let a second pass."""
        if arriving:
            self.queue.append([float(now), arriving])
        allowed = float("inf") if self.calls_per_minute is None else self.calls_per_minute / 60
        alive = [pod for pod in self.pods if pod.ready_at <= now]
        for pod in alive:
            while pod.running and pod.running[0][0] <= now - self.seconds:
                self.done += pod.running.popleft()[1]
        ready = self.ready
        for left, pod in zip(range(len(alive), 0, -1), alive, strict=True):
            ready -= self._fetch(pod, ready / left)
            startable = min(self.slots - pod.busy, allowed / max(len(alive), 1))
            if self.cpu:
                startable = min(startable, self.cores / self.cpu)
            self._begin(pod, startable, now)

    def _fetch(self, pod: Pod, share: float) -> float:
        fetched, room = 0.0, min(self.prefetch - pod.busy - pod.waiting, share)
        while room > 1e-9 and self.queue:
            first = self.queue[0]
            taken = min(room, first[1])
            pod.fetched.append([first[0], taken])
            first[1] -= taken
            room -= taken
            fetched += taken
            if first[1] <= 1e-9:
                self.queue.popleft()
        return fetched

    def _begin(self, pod: Pod, startable: float, now: int) -> None:
        begun = 0.0
        while startable > 1e-9 and pod.fetched:
            first = pod.fetched[0]
            taken = min(startable, first[1])
            self.waited.append((now - first[0], taken))
            first[1] -= taken
            startable -= taken
            begun += taken
            if first[1] <= 1e-9:
                pod.fetched.popleft()
        if begun:
            pod.running.append([float(now), begun])
