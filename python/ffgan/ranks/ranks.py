# SPDX-License-Identifier: GPL-3.0-or-later
"""What several processes do together, and how they end.

Of a training every rank has the whole state and a part of each batch, of an evaluation or an audit
a part of the images. The first one alone writes and speaks. Whatever one of them meets between two
steps, all learn before they go on, so that none waits for one that has ended. `docs/distributed.md`
says what is put together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar, cast

from numpy.typing import NDArray

from ffgan import _core, errors
from ffgan.errors import Error, UsageError
from ffgan.interruption import Interrupted

T = TypeVar("T")
Entries = TypeVar("Entries", bound=Sequence[Any] | NDArray[Any])


class ByteCarrier(Protocol):
    """What carries bytes between the ranks; all of them make the same calls in turn."""

    rank: int
    size: int

    def gather(self, own: memoryview, all: memoryview) -> None:
        """``all`` receives the ``own`` of each rank, in the order of the ranks."""

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        """Part k of the equally long ``parts`` goes to rank k."""


class Carrier(ByteCarrier, Protocol):
    """What carries objects, too."""

    def apart(self) -> ByteCarrier | None:
        """One for another thread, beside this one; None where there can be none."""

    def objects(self, own: Any) -> list[Any]:
        """What each rank gives; a wait for it may be long, and leaves the processor to others."""

    def abort(self, status: int) -> None:
        """End all ranks at once."""


class Elsewhere(Error):
    """Ends a rank together with the first one, which says why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("the first rank says why the run has ended")
        self.exit_code = exit_code


Met = TypeVar("Met", bound=BaseException)


def met(error: Met) -> Met:
    """The error, marked as one that all ranks raise at this place."""
    error.met_by_all = True  # type: ignore[attr-defined]
    return error


def is_met(error: BaseException | None) -> bool:
    """Whether all ranks have met it, and the first one says it."""
    return getattr(error, "met_by_all", False)


class Timed:
    """A `Carrier` for the engine, that counts: seconds of sums and waiting, bytes that leave."""

    def __init__(self, carrier: Carrier) -> None:
        self.rank, self.size = carrier.rank, carrier.size
        self.seconds = 0.0
        self.sent = 0
        self.calls = 0
        self._carrier = carrier
        self._counted = Counted(self, carrier)

    def gather(self, own: memoryview, all: memoryview) -> None:
        """As the carrier's."""
        began = time.perf_counter()
        self._counted.gather(own, all)
        self.waited(time.perf_counter() - began)

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        """As the carrier's."""
        began = time.perf_counter()
        self._counted.exchange(parts, received)
        self.waited(time.perf_counter() - began)

    def apart(self) -> Counted | None:
        """The carrier's other one, whose bytes count here, and its time does not."""
        other = self._carrier.apart()
        return None if other is None else Counted(self, other)

    def count(self, sent: int) -> None:
        """Count a call that sends so many bytes to the others."""
        self.calls += 1
        self.sent += sent

    def waited(self, seconds: float) -> None:
        """Count the time in which a step did nothing else."""
        self.seconds += seconds


class Counted:
    """A `ByteCarrier` whose calls and bytes count elsewhere."""

    def __init__(self, counts: Timed, carrier: ByteCarrier) -> None:
        self.rank, self.size = carrier.rank, carrier.size
        self._counts = counts
        self._carrier = carrier

    def gather(self, own: memoryview, all: memoryview) -> None:
        """As the carrier's."""
        self._carrier.gather(own, all)
        self._counts.count((self.size - 1) * len(own))

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        """As the carrier's."""
        self._carrier.exchange(parts, received)
        self._counts.count(len(parts) // self.size * (self.size - 1))


class Ranks:
    """The ranks of a run; alone, without a carrier, everything is done as if there were none."""

    def __init__(self, carrier: Carrier | None = None) -> None:
        self._carrier = carrier
        self.number = 0 if carrier is None else carrier.rank
        self.count = 1 if carrier is None else carrier.size
        self.for_engine = None if carrier is None else Timed(carrier)
        self.received: Callable[[], int | None] = lambda: None
        """The signal that this rank has received."""
        self.signal: int | None = None
        """The first signal that any rank had received when they last spoke."""

    @property
    def alone(self) -> bool:
        """Whether there is one process."""
        return self._carrier is None

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.number == 0

    @property
    def reducing(self) -> float:
        """Seconds so far in which the engine put results together, or waited for the others."""
        return 0.0 if self.for_engine is None else self.for_engine.seconds

    @property
    def sent(self) -> int:
        """Bytes so far that the engine has sent to each of the others, added up."""
        return 0 if self.for_engine is None else self.for_engine.sent

    @property
    def calls(self) -> int:
        """How often the engine has put something together so far."""
        return 0 if self.for_engine is None else self.for_engine.calls

    def own(self, whole: Entries) -> Entries:
        """This rank's entries of what there is one of for each image of a batch."""
        return cast(Entries, whole[self.number :: self.count])

    # ------------------------------------------------------------------ together

    def each(self, work: Callable[[], T]) -> T:
        """Every rank works; where one fails, all raise: this rank its own error or another's."""
        if self._carrier is None:
            return _alone(self, work)
        outcome = _Outcome.of(work)
        outcome.raise_any(self._told(outcome.told))
        return outcome.given[0]

    def first(self, work: Callable[[], T]) -> T:
        """The first rank works, and all get the result, or raise."""
        if self._carrier is None:
            return _alone(self, work)
        outcome = _Outcome.of(work) if self.is_first else _Outcome[T]()
        told, given = self._told((outcome.told, outcome.given))[0]
        if told is not None:
            raise outcome.error or told.as_error(0)
        results: list[T] = outcome.given or given
        return results[0]

    def every(self, work: Callable[[], T]) -> list[T]:
        """Every rank works, and all get all results, in the order of the ranks; or all raise."""
        if self._carrier is None:
            return [_alone(self, work)]
        outcome = _Outcome.of(work)
        outcomes = self._told((outcome.told, outcome.given))
        outcome.raise_any(told for told, _ in outcomes)
        return [given[0] for _, given in outcomes]

    def check_same(
        self, facts: dict[str, Any], needed: str = "program, command and images"
    ) -> None:
        """Raise UsageError where a rank's facts differ from the first one's, with what is needed.

        A fact is a name and a value that a reader understands.
        """

        def differs(name: str, rank: int, its: object, first: object) -> Error:
            return UsageError(
                f"{name} is {its} at rank {rank} and {first} at the first one: all need the same "
                f"{needed}"
            )

        self.compare({"ffgan's version": _core.__version__, **facts}, differs)

    def compare(
        self, facts: dict[str, Any], complain: Callable[[str, int, Any, Any], Error]
    ) -> None:
        """Raise what ``complain(name, rank, its, first's)`` makes where a rank's facts differ."""

        def check() -> None:
            for rank, its in enumerate(every):
                for name, value in every[0].items():
                    if its.get(name) != value:
                        raise complain(name, rank, its.get(name), value)

        if self._carrier is not None:
            every = self._told(facts)
            self.each(check)

    def _told(self, own: Any) -> list[Any]:
        assert self._carrier is not None
        answers = self._carrier.objects((self.received(), own))
        signals = [signal for signal, _ in answers if signal is not None]
        if self.signal is None and signals:
            self.signal = signals[0]
        return [answer for _, answer in answers]

    # ------------------------------------------------------------------ the end

    @contextmanager
    def ending_together(self, explain: Callable[[BaseException], object]) -> Iterator[None]:
        """Within it an error that all have met ends each rank, and any other one all at once.

        ``explain`` is told the latter. The first rank raises what was met, the others `Elsewhere`.
        """
        try:
            yield
        except BaseException as error:
            if self._carrier is None:
                raise
            if not is_met(error) and not is_met(error.__cause__):
                explain(error)
                otherwise = 130 if isinstance(error, KeyboardInterrupt) else 1
                self._carrier.abort(getattr(error, "exit_code", otherwise))
            if self.is_first:
                raise
            raise met(Elsewhere(getattr(error, "exit_code", 1))) from error


def _alone(ranks: Ranks, work: Callable[[], T]) -> T:
    result = work()
    ranks.signal = ranks.received()
    return result


class _Told:
    """An error as another rank is told of it."""

    def __init__(self, error: BaseException) -> None:
        self.name = type(error).__name__
        self.text = str(error)
        self.exit_code = getattr(error, "exit_code", 1)

    def as_error(self, rank: int) -> Error:
        text = self.text if rank == 0 else f"rank {rank}: {self.text}"
        if self.name == "Interrupted":
            error: Error = Interrupted(self.text, self.exit_code - 128)
        else:
            kind = getattr(errors, self.name, Error)
            error = kind(text) if kind is not Error else Error(f"{text} ({self.name})")
        error.exit_code = self.exit_code
        return met(error)


class _Outcome(Generic[T]):
    """The result of some work, or what it raised."""

    def __init__(self) -> None:
        self.given: list[T] = []
        self.error: BaseException | None = None

    @classmethod
    def of(cls, work: Callable[[], T]) -> _Outcome[T]:
        outcome = cls()
        try:
            outcome.given.append(work())
        except BaseException as error:
            outcome.error = met(error)
        return outcome

    def raise_any(self, every: Iterable[_Told | None]) -> None:
        """Where a rank has failed, by what every one tells: this one's own error or that one's."""
        for rank, told in enumerate(every):
            if told is not None:
                raise self.error or told.as_error(rank)

    @property
    def told(self) -> _Told | None:
        return None if self.error is None else _Told(self.error)
