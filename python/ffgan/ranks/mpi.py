# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranks that `mpiexec` or `srun` has started, by mpi4py.

Nothing is summed by MPI, whose order of adding depends on the length and on the number of ranks: it
carries bytes, and the engine adds.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from ffgan import _core
from ffgan.errors import ExtraError, UsageError
from ffgan.ranks.ranks import Elsewhere, Ranks

SIZES: Final = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
"""Where Open MPI's, MPICH's and Slurm's launchers say how many processes they have started."""

NUMBERS: Final = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""Where it says which one of them this is."""

PRTE: Final = "PRTE_LAUNCHED"
"""What Open MPI's runtime says of every process that it starts."""

BUSY: Final = 2e-3
"""Seconds of a wait for others in which the processor is kept.

Whoever waits longer, for an evaluation or a data set, should not take a core meanwhile.
"""

PAUSE: Final = 5e-4
"""Seconds between two looks whether a wait is over."""

PATIENCE: Final = 10.0
"""Seconds in which the first rank says why there is no run. A launcher ends all as one ends."""


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int | None]:
    """The number of this process and how many a launcher has started, (0, 1) without one.

    None where the launcher does not say how many, as Open MPI's `prterun` does not.
    """
    for size, number in zip(SIZES, NUMBERS, strict=True):
        if environment.get(size, "").isdigit():
            if int(environment[size]) == 1:
                return 0, 1
            return int(environment.get(number, "0")), int(environment[size])
    if PRTE in environment and environment.get("PMIX_RANK", "").isdigit():
        return int(environment["PMIX_RANK"]), None
    return 0, 1


def of_another_launcher(vendor: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether Open MPI's launcher has started a program of another library than Open MPI."""
    return (SIZES[0] in environment or PRTE in environment) and vendor != "Open MPI"


def of_launcher() -> Ranks:
    """The ranks of this process's launcher; alone where it was started by itself.

    Raises ExtraError without mpi4py, UsageError where its library knows no other process.
    """
    number, size = launched()
    if size == 1:
        return Ranks()
    try:
        import mpi4py

        # Another library than the launcher's may end the process as it is initialised.
        mpi4py.rc.initialize = False
        mpi4py.rc.finalize = True
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        # RuntimeError: mpi4py's wheel found no MPI library.
        if number > 0:
            raise _after_the_first(ExtraError.exit_code) from error
        raise ExtraError(
            f"{size or 'several'} processes were started to work together, which needs mpi4py and "
            f"an MPI library ({error}): pip install 'ffgan[mpi]'"
        ) from error
    library = MPI.Get_library_version().split(",")[0].split("\n")[0].strip("\0 ")
    if of_another_launcher(MPI.get_vendor()[0]):
        sees = "is another one"
    else:
        if not MPI.Is_initialized():
            MPI.Init_thread()
        seen = MPI.COMM_WORLD.Get_size()
        size = size or seen
        sees = "" if seen == size else f"sees {seen}"
    if sees:
        if number > 0:
            raise _after_the_first(UsageError.exit_code)
        raise UsageError(
            f"the launcher has started {size or 'several'} processes, but the MPI library of "
            f"mpi4py ({library}) {sees}: start them with that library's mpiexec, or "
            "srun --mpi=pmi2 or --mpi=pmix as it was built for"
        )
    if size == 1:
        return Ranks()
    world = MPI.COMM_WORLD
    ranks = Ranks(MPICarrier(MPI, world))
    _divide_cores(MPI, world)
    return ranks


def _after_the_first(exit_code: int) -> Elsewhere:
    """The end of a rank that cannot be told when the first one has spoken."""
    time.sleep(PATIENCE)
    return Elsewhere(exit_code)


class MPICarrier:
    """A `Carrier` on mpi4py's communicator."""

    def __init__(self, mpi: Any, world: Any) -> None:
        self._mpi = mpi
        self._world = world
        self._apart: CarrierBeside | None = None
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()

    def gather(self, own: memoryview, all: memoryview) -> None:
        """By MPI_Allgather."""
        self._world.Allgather([own, self._mpi.BYTE], [all, self._mpi.BYTE])

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        """By MPI_Alltoall."""
        self._world.Alltoall([parts, self._mpi.BYTE], [received, self._mpi.BYTE])

    def apart(self) -> CarrierBeside | None:
        """By another communicator, if the library lets several threads call it at the same time.

        None between ranks of one machine, where it is not worth the time that it takes.
        """
        several = self._mpi.Query_thread() == self._mpi.THREAD_MULTIPLE
        if self._apart is None and several and not self._on_one_machine():
            self._apart = CarrierBeside(self._mpi, self._world.Dup())
        return self._apart

    def _on_one_machine(self) -> bool:
        here = self._world.Split_type(self._mpi.COMM_TYPE_SHARED)
        count: int = here.Get_size()
        here.Free()
        return count == self.size

    def objects(self, own: Any) -> list[Any]:
        """By MPI_Iallgather of the lengths, then of the pickled objects."""
        content = pickle.dumps(own)
        lengths = bytearray(8 * self.size)
        mpi = self._mpi
        length = len(content).to_bytes(8, sys.byteorder)
        _wait(self._world.Iallgather([length, mpi.BYTE], [lengths, mpi.BYTE]), BUSY)
        sizes = [int(n) for n in memoryview(lengths).cast("q")]
        received = bytearray(sum(sizes))
        _wait(self._world.Iallgatherv([content, mpi.BYTE], [received, sizes, mpi.BYTE]), BUSY)
        answers, begin = [], 0
        for size in sizes:
            answers.append(pickle.loads(memoryview(received)[begin : begin + size]))
            begin += size
        return answers

    def abort(self, status: int) -> None:
        """By MPI_Abort."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._world.Abort(status)


class CarrierBeside:
    """What carries bytes for another thread while this process computes.

    Libraries move little between calls of theirs, so the thread has to ask often; it leaves the
    processor in between.
    """

    def __init__(self, mpi: Any, world: Any) -> None:
        self._byte = mpi.BYTE
        self._world = world
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()

    def gather(self, own: memoryview, all: memoryview) -> None:
        """By MPI_Iallgather."""
        _wait(self._world.Iallgather([own, self._byte], [all, self._byte]))

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        """By MPI_Ialltoall."""
        _wait(self._world.Ialltoall([parts, self._byte], [received, self._byte]))


def _wait(request: Any, busy: float = 0.0) -> None:
    """Wait for the end of what was begun, for a while without leaving the processor."""
    began = time.perf_counter()
    while not request.Test():
        if time.perf_counter() - began > busy:
            time.sleep(PAUSE)


def _divide_cores(mpi: Any, world: Any) -> None:
    """Give ranks of one machine that may use the same cores each a part of them.

    Unless the user has said how many threads there are to be.
    """
    engine = _core.engine()
    if engine["threads_from"] != "the CPUs of the process":
        return
    here = world.Split_type(mpi.COMM_TYPE_SHARED)
    allowed = [frozenset(cpus) for cpus in here.allgather(sorted(_allowed()))]
    mine = allowed[here.Get_rank()]
    sharing = sum(1 for cpus in allowed if cpus & mine)
    here.Free()
    _core.set_threads(max(1, engine["threads"] // sharing))


def _allowed() -> set[int]:
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # systems without it bind nobody
        return set(range(os.cpu_count() or 1))
