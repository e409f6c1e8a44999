# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user notices of the device besides the numbers: threads, processes, memory, errors."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from support import device
from support.batches import random_images, random_latents

from ffgan import _core
from ffgan.errors import DeviceError
from ffgan.typing import UInt8

SECONDS = 60
MIB = 1 << 20


class Driver:
    """The memory of the GPU that CUDA computes on, by its driver."""

    def __init__(self) -> None:
        device.faces()  # makes the context that the driver's calls are about
        self._cuda = ctypes.CDLL("libcuda.so.1")

    def free(self) -> int:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        assert self._cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)) == 0
        return free.value

    @contextmanager
    def full(self, leave: int) -> Iterator[None]:
        """All but about so many bytes taken."""
        taken: list[ctypes.c_uint64] = []
        try:
            for size in (1024 * MIB, 64 * MIB, 4 * MIB):
                while self.free() > leave + size:
                    pointer = ctypes.c_uint64()
                    if self._cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(size)):
                        break
                    taken.append(pointer)
            yield
        finally:
            for pointer in taken:
                assert self._cuda.cuMemFree_v2(pointer) == 0


@pytest.fixture
def driver() -> Driver:
    return Driver()


def nearly_equal(ours: UInt8, theirs: UInt8) -> bool:
    return bool(np.abs(ours.astype(int) - theirs.astype(int)).max() <= device.FACES // 4)


def test_a_face_hardly_depends_on_its_batch() -> None:
    """More than a batch of the device; the algorithms may differ with the batch."""
    model = device.model("program")
    latents = model.latents(19, 5)
    together = model.render(latents)
    alone = np.concatenate([model.render(latents[i : i + 1]) for i in range(len(latents))])
    assert nearly_equal(together, alone)
    assert not nearly_equal(together[:-1], together[1:])
    scores = model.score(together)
    np.testing.assert_allclose(
        scores,
        [model.score(together[i : i + 1])[0] for i in range(len(latents))],
        rtol=0,
        atol=2e-3 * float(np.sqrt(np.mean(scores**2))),
    )


def test_threads_share_a_model() -> None:
    model = device.model("program")
    latents = model.latents(4, 0)
    expected = model.render(latents)
    scores = model.score(expected)
    failures: list[str] = []

    def work(thread: int) -> None:
        try:
            for turn in range(8):
                i = (thread + turn) % len(latents)
                image = model.render(latents[i : i + 1])
                if not nearly_equal(image[0], expected[i]):
                    failures.append(f"thread {thread}: another face than {i}")
                if abs(model.score(image)[0] - scores[i]) > 0.01 * np.abs(scores).max():
                    failures.append(f"thread {thread}: another score than {i}'s")
        except Exception as error:
            failures.append(f"thread {thread}: {error!r}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


FORKING = """
import os, sys
import ffgan
model = ffgan.load() if "used" in sys.argv else None
child = os.fork()
if child == 0:
    try:
        print("drew", (model or ffgan.load()).render(ffgan.latent.noise(1)[None]).shape, flush=True)
    except ffgan.Error as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
if model is not None:
    print("parent drew", model.render(ffgan.latent.noise(1)[None]).shape)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def forking(*arguments: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.slow
def test_a_process_forked_before_the_device_was_used_computes() -> None:
    assert forking() == ["drew (1, 162, 162, 3)"]


@pytest.mark.slow
def test_a_process_forked_after_is_refused_with_a_line_and_its_parent_goes_on() -> None:
    child, parent = forking("used")
    assert parent == "parent drew (1, 162, 162, 3)"
    if _core.engine()["cuda"]:
        assert child.startswith("DeviceError: this process was forked") and "spawn" in child
    else:
        assert child == "drew (1, 162, 162, 3)"


def a_step(batch: int) -> None:
    trainer = _core.Trainer(seed=1)
    trainer.step(random_images(batch), random_latents(batch))


@pytest.mark.cuda
def test_full_memory_is_one_line_and_no_end(driver: Driver) -> None:
    with driver.full(leave=300 * MIB), pytest.raises(DeviceError) as error:
        a_step(64)
    assert "memory" in str(error.value) and "smaller batch" in str(error.value)
    assert "\n" not in str(error.value)
    a_step(4)  # as if nothing had been


@pytest.mark.cuda
def test_memory_is_given_back(driver: Driver) -> None:
    free = []
    for _ in range(3):
        a_step(16)
        gc.collect()
        free.append(driver.free())
    print("free after each trainer, MiB:", [size // MIB for size in free])
    # What the libraries keep is there after the first.
    assert free[0] - min(free[1:]) < 64 * MIB


@pytest.mark.cuda
def test_the_engine_says_that_it_is_cuda() -> None:
    engine = _core.engine()
    assert engine["cuda"] and "cuDNN" in engine["convolution"]
    assert device.model("program").profile() == {"generator": [], "program": []}
