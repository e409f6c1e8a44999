# SPDX-License-Identifier: GPL-3.0-or-later
"""What several processes that train one run do together, and how they end."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from support.ranks import ThreadCarrier, run_ranks

from ffgan.errors import Error, UnavailableError, UsageError
from ffgan.interruption import Interrupted
from ffgan.ranks import Elsewhere, Ranks, met, mpi


def nothing(error: BaseException) -> None:
    """An error that others do not know of is told to nobody."""


def test_what_the_first_rank_finds_all_know() -> None:
    asked: list[int] = []

    def work(carrier: ThreadCarrier) -> dict[str, int]:
        ranks = Ranks(carrier)
        return ranks.first(lambda: asked.append(ranks.number) or {"steps": 7})

    assert run_ranks(3, work) == [{"steps": 7}] * 3
    assert asked == [0]


def test_an_error_of_one_rank_ends_all_and_the_first_one_says_it() -> None:
    def work(carrier: ThreadCarrier) -> None:
        ranks = Ranks(carrier)

        def read() -> None:
            if ranks.number == 1:
                raise UnavailableError("cannot read a.jpg: no such disk")

        with ranks.ending_together(nothing):
            ranks.each(read)

    first, second, third = run_ranks(3, work)
    assert type(first) is UnavailableError
    assert str(first) == "rank 1: cannot read a.jpg: no such disk"
    assert isinstance(second, Elsewhere) and isinstance(third, Elsewhere)
    assert second.exit_code == third.exit_code == 1


def test_an_error_that_others_do_not_know_of_ends_them_at_once() -> None:
    carriers: list[ThreadCarrier] = []
    told: list[str] = []

    def work(carrier: ThreadCarrier) -> None:
        ranks = Ranks(carrier)
        carriers.append(carrier)
        with ranks.ending_together(lambda error: told.append(str(error))):
            if ranks.number == 1:
                raise MemoryError("within a step")
            ranks.first(lambda: None)

    run_ranks(2, work)
    assert "within a step" in told
    assert any(carrier.aborted == 1 and carrier.rank == 1 for carrier in carriers)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError("full")])
def test_the_others_end_with_the_status_of_what_ended_one(error: BaseException) -> None:
    carriers: list[ThreadCarrier] = []

    def work(carrier: ThreadCarrier) -> None:
        carriers.append(carrier)
        with Ranks(carrier).ending_together(nothing):
            if carrier.rank == 1:
                raise error

    run_ranks(2, work)
    status = 130 if isinstance(error, KeyboardInterrupt) else 1
    assert [one.aborted for one in carriers if one.rank == 1] == [status]


def test_a_signal_to_one_rank_is_known_to_all_after_the_step() -> None:
    def work(carrier: ThreadCarrier) -> list[int | None]:
        ranks = Ranks(carrier)
        signals: list[int | None] = []
        for step in range(3):
            ranks.received = lambda: 15 if ranks.number == 1 and step > 0 else None  # noqa: B023
            ranks.first(lambda: None)
            signals.append(ranks.signal)
        return signals

    assert run_ranks(2, work) == [[None, 15, 15]] * 2


def test_all_end_by_the_signal_that_one_has_received() -> None:
    def work(carrier: ThreadCarrier) -> None:
        with Ranks(carrier).ending_together(nothing):
            raise met(Interrupted("stopped after step 3", 15))

    first, second = run_ranks(2, work)
    assert isinstance(first, Interrupted) and isinstance(second, Elsewhere)
    assert first.exit_code == second.exit_code == 143


def test_facts_that_differ_are_named() -> None:
    def work(carrier: ThreadCarrier) -> None:
        ranks = Ranks(carrier)
        ranks.check_same({"the seed": 1 if ranks.number < 2 else 2}, "command")

    for error in run_ranks(3, work):
        assert isinstance(error, UsageError)
        assert str(error).endswith(
            "the seed is 2 at rank 2 and 1 at the first one: all need the same command"
        )


def test_all_get_what_every_rank_finds_or_raise_its_error() -> None:
    def work(carrier: ThreadCarrier) -> list[int]:
        ranks = Ranks(carrier)
        return ranks.every(lambda: 6 // ranks.number if ranks.number else 5)

    assert run_ranks(3, work) == [[5, 6, 3]] * 3

    def failing(carrier: ThreadCarrier) -> list[float]:
        ranks = Ranks(carrier)
        return ranks.every(lambda: 1 / ranks.number)

    assert all("division by zero" in str(error) for error in run_ranks(2, failing))
    assert Ranks().every(lambda: 7) == [7]


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, (0, 1)),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, (3, 4)),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, (1, 2)),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, (5, 8)),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, (0, 1)),
        ({"PMI_SIZE": "1", "PMI_RANK": "0", "SLURM_STEP_NUM_TASKS": "4"}, (0, 1)),
        ({"PRTE_LAUNCHED": "1", "PMIX_RANK": "2"}, (2, None)),
    ],
)
def test_launchers_say_how_many_processes_there_are(
    environment: dict[str, str], found: tuple[int, int | None]
) -> None:
    assert mpi.launched(environment) == found


def test_one_process_needs_no_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in mpi.SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert mpi.of_launcher().alone


def test_without_mpi4py_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr(mpi, "PATIENCE", 0)
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "0")
    with pytest.raises(Error, match=r"2 processes .* pip install 'ffgan\[mpi\]'"):
        mpi.of_launcher()
    monkeypatch.setenv("PMI_RANK", "1")
    with pytest.raises(Elsewhere):
        mpi.of_launcher()


def test_a_library_that_is_not_the_launchers_is_refused_before_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OfMPICH:
        Get_library_version = staticmethod(lambda: "MPICH Version:\t5.0.2\n")
        get_vendor = staticmethod(lambda: ("MPICH", (5, 0, 2)))  # and no Init_thread

    package = SimpleNamespace(rc=SimpleNamespace(), MPI=OfMPICH)
    monkeypatch.setitem(sys.modules, "mpi4py", package)
    monkeypatch.setattr(mpi, "PATIENCE", 0)
    for number, kind in (("0", UsageError), ("1", Elsewhere)):
        monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", number)
        with pytest.raises(kind) as refused:
            mpi.of_launcher()
        if kind is UsageError:
            assert "2 processes" in str(refused.value) and "is another one" in str(refused.value)
    assert package.rc.initialize is False


@pytest.mark.parametrize("count", [1, 3])
def test_where_the_launcher_does_not_say_how_many_there_are_the_library_does(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class World:
        Get_size = staticmethod(lambda: count)
        Get_rank = staticmethod(lambda: 0)

    class OfOpenMPI:
        COMM_WORLD = World()
        Get_library_version = staticmethod(lambda: "Open MPI v5.0.11, package: x\n")
        get_vendor = staticmethod(lambda: ("Open MPI", (5, 0, 11)))
        Is_initialized = staticmethod(lambda: True)

    package = SimpleNamespace(rc=SimpleNamespace(), MPI=OfOpenMPI)
    monkeypatch.setitem(sys.modules, "mpi4py", package)
    monkeypatch.setattr(mpi, "_divide_cores", lambda *given: None)
    for name in mpi.SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRTE_LAUNCHED", "1")
    monkeypatch.setenv("PMIX_RANK", "0")
    assert mpi.of_launcher().count == count
