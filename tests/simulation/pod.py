"""One pod: processes that take units, and what becomes of those when it is stopped or lost."""

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy import Event, Interrupt, Process

from tests.simulation.policy import Pool
from tests.simulation.work import Unit

if TYPE_CHECKING:
    from tests.simulation.fleet import Fleet

Steps = Generator[Event, Any, None]


class Pod:
    """Of one pool; from the moment it is asked for."""

    def __init__(self, fleet: "Fleet", pool: Pool) -> None:
        self.fleet, self.pool = fleet, pool
        self.created_s = fleet.env.now
        self.stopping = self.present = self.gone = False
        self.in_hand: deque[Unit] = deque()
        """Delivered, not begun."""
        self.busy: dict[Process, Unit] = {}
        self.idle: deque[Event] = deque()
        fleet.env.process(self._start())

    @property
    def held(self) -> int:
        """Messages that it has not acknowledged."""
        return len(self.busy) + len(self.in_hand)

    @property
    def most(self) -> int:
        """Messages that it may hold."""
        return self.pool.processes * self.fleet.policy.delivery.prefetch

    def stop(self, soft_s: float, killed_s: float) -> None:
        """SIGTERM: what is not done after ``soft_s`` goes back, and after ``killed_s`` the pod is gone."""
        if self.stopping:
            return
        self.stopping = True
        while self.in_hand:
            self.fleet.give_back(self.in_hand.popleft(), 0.0, None)
        self._wake_all()
        if self.busy:
            self.fleet.env.process(self._stopped(min(soft_s, killed_s)))
        else:
            self._end()

    def lose(self) -> None:
        """Gone at once; Redis delivers its messages again after the visibility timeout."""
        self.stopping = True
        while self.in_hand:
            unit = self.in_hand.popleft()
            self.fleet.give_back(unit, self._returned_s(unit), None)
        for process, unit in self.busy.items():
            process.interrupt(self._returned_s(unit))
        self._wake_all()
        self._end()

    def offer(self) -> bool:
        """Wake a process that waits for a message; false when none does."""
        while self.idle:
            event = self.idle.popleft()
            if not event.triggered:
                event.succeed()
                return True
        return False

    def _start(self) -> Steps:
        fleet = self.fleet
        yield fleet.env.timeout(fleet.costs.start(self.pool.name))
        if self.gone or self.stopping:
            return
        self.present = True
        fleet.count_present(1)
        for _ in range(self.pool.processes):
            fleet.env.process(self._work())

    def _work(self) -> Steps:
        while not self.stopping:
            if (unit := self._next()) is None:
                waits = self.fleet.env.event()
                self.idle.append(waits)
                self.fleet.waits(self)
                yield waits
            else:
                yield from self._do(unit)
        if not self.busy:
            self._end()

    def _next(self) -> Unit | None:
        while self.held < self.most and (unit := self.fleet.take(self.pool.queues)) is not None:
            self.in_hand.append(unit)
        if not self.in_hand:
            return None
        unit = self.in_hand.popleft()
        if self.in_hand:
            self.offer()
        return unit

    def _do(self, unit: Unit) -> Steps:
        env, me = self.fleet.env, self.fleet.env.active_process
        assert me is not None
        began_s = env.now
        self.busy[me] = unit
        seconds, late = self.fleet.begin(self, unit)
        try:
            yield env.timeout(seconds)
            self.fleet.tally.busy_s[self.pool.name] += seconds
            if late:
                self.fleet.overdue(unit, seconds)
            else:
                yield env.timeout(self.fleet.acknowledge())
                self.fleet.finish(unit, began_s)
        except Interrupt as stopped:
            self.fleet.give_back(unit, float(stopped.cause), env.now - began_s)
        finally:
            del self.busy[me]

    def _stopped(self, soft_s: float) -> Steps:
        yield self.fleet.env.timeout(soft_s)
        if not self.gone:
            for process in list(self.busy):
                process.interrupt(0.0)
            self._end()

    def _returned_s(self, unit: Unit) -> float:
        """Seconds until somebody else gets it."""
        return max(0.0, unit.taken_s + self.fleet.policy.delivery.returned_s - self.fleet.env.now)

    def _wake_all(self) -> None:
        while self.offer():
            pass

    def _end(self) -> None:
        if not self.gone:
            self.gone = True
            self.fleet.count_present(-self.present)
            self.fleet.tally.pod_s[self.pool.name] += self.fleet.env.now - self.created_s
