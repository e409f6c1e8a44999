# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranks that share a step compute what one process does, and all the same bytes."""

from __future__ import annotations

import hashlib
import math
from functools import partial
from threading import BrokenBarrierError
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.ranks import ThreadCarrier, run_ranks

from ffgan import _core, features
from ffgan.errors import ExtraError
from ffgan.faces import recognition_file

ORIGINAL = {"dropout": 0.5}
WARM = {
    "loss": "relativistic",
    "discriminator_norm": "fixed",
    "gradient_penalty": 0.005,
    "adversarial_weight": 0.5,
    "smooth_upsampling": 1.0,
    "chroma_weight": 12.0,
    "grid_weight": 20.0,
    "anchor_weight": 40.0,
    "anchor_skip": 2,
    "translation": 8,
    "dropout": 0.0,
}
PROJECTED = WARM | {
    "projected_weight": 2.0,
    "projected_penalty": 0.02,
    "projected_details": 0.75,
    "imagenet_weight": 3.0,
    "identity_weight": 100.0,
    "matching_weight": 40.0,
    "frechet_weight": 10.0,
    "perceptual_weight": 40.0,
}
FURTHER = {
    "joint": ORIGINAL
    | {"joint_update": True, "colour": True, "cutout": 40, "label_smoothing": 0.1},
    "hinge": {"loss": "hinge", "texture_weight": 1.0, "total_variation_weight": 1.0},
    "dropout": WARM | {"dropout": 0.5, "loss": "logistic"},
    "borders": WARM | {"border_weight": 3.0, "spectrum_weight": 1.0},
}
TOLERANCE = 1e-5

# With them D's parameters stay as they are within a step. Else a value next to a kink of a ReLU may
# fall on the other side in the passes after an update, whose sums have another rounding.
STILL = (1e-30, 1e-30)


def settings_of(recipe: str) -> dict[str, Any]:
    if recipe != "projected":
        return {"original": ORIGINAL, "warm": WARM}.get(recipe) or FURTHER[recipe]
    try:
        network = features.training_network()
        return PROJECTED | {"recognition": str(recognition_file(None)), "imagenet": network}
    except ExtraError as error:
        pytest.skip(str(error))


def a_batch(count: int, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    random = np.random.default_rng((count, number))
    coarse = random.uniform(20, 235, (count, 6, 6, 3))
    real = np.kron(coarse, np.ones((1, 27, 27, 1))) + random.uniform(-20, 20, (count, 162, 162, 3))
    return real.astype(np.uint8), random.standard_normal((count, 100)).astype(np.float32)


Step = tuple[dict[str, float], dict[str, NDArray[np.float32]]]


def a_step(
    trainer: _core.Trainer, batch: int, number: int, anchored: int, part: slice = slice(None)
) -> Step:
    """What a step measures, and the gradients that it leaves; the first one is of a warm start."""
    real, latents = (np.ascontiguousarray(one[part]) for one in a_batch(batch, number))
    if number == 0:
        measures = {"loss": trainer.reconstruct(latents, real, 1e-3, whole=batch)}
    else:
        measures = trainer.step(real, latents, anchored=anchored, whole=batch)
    gradients = {f"g.{k}": v for k, v in trainer.gradients("generator").items()}
    if number > 0:
        gradients |= {f"d.{k}": v for k, v in trainer.gradients("discriminator").items()}
    return measures, gradients


def digest(state: dict[str, NDArray[np.float32]]) -> str:
    sums = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        sums.update(name.encode())
        sums.update(tensor.tobytes())
    return sums.hexdigest()


def with_long_memory(state: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """As if it were of many steps: the Frechet distance waits for a thousand samples."""
    return state | {name: np.full_like(state[name], 4096) for name in state if ".count" in name}


def compared(ranks: int, recipe: str, batch: int, steps: int, anchored: int) -> list[str]:
    """Compare each step with one process's from the same state; digests of the ranks at the end."""
    settings = settings_of(recipe)
    alone, still = _core.Trainer(**settings), _core.Trainer(**settings)
    still.set_learning_rates(*STILL)
    states, expected = [], []
    for number in range(steps):
        states.append(with_long_memory(alone.state()))
        alone.load_state(states[-1])
        still.load_state(states[-1])
        expected.append(a_step(still, batch, number, anchored))
        a_step(alone, batch, number, anchored)

    assert all(measures.get("feature_frechet", 1) > 0 for measures, _ in expected[2:])

    def work(carrier: ThreadCarrier) -> tuple[list[Step], str]:
        trainer = _core.Trainer(communicator=carrier, **settings)
        trainer.set_learning_rates(*STILL)
        found = []
        for number in range(steps):
            trainer.load_state(states[number])
            part = slice(carrier.rank, None, ranks)
            found.append(a_step(trainer, batch, number, anchored, part))
        return found, digest(trainer.state())

    digests = []
    for result in run_ranks(ranks, work):
        assert not isinstance(result, BaseException), result
        found, ended = result
        digests.append(ended)
        errors: dict[str, list[float]] = {"g": [], "d": []}
        for (measures, gradients), (wanted, wanted_gradients) in zip(found, expected, strict=True):
            assert measures == pytest.approx(wanted, rel=TOLERANCE, abs=1e-7)
            for network, values in errors.items():
                if error := relative_error(network, gradients, wanted_gradients):
                    values.append(error)
        for network, values in errors.items():
            assert max(values) < TOLERANCE, f"{network}: {values}"
    return digests


def relative_error(
    network: str, found: dict[str, NDArray[np.float32]], wanted: dict[str, NDArray[np.float32]]
) -> float | None:
    """Of a network's gradients as one vector.

    Not those of D's norms: where these are by the batch the pass for G leaves what nothing uses.
    """
    names = [name for name in wanted if name.startswith(network) and "d.norm" not in name]
    if not names:
        return None
    squares = sum(float(np.square(wanted[name], dtype=float).sum()) for name in names)
    differences = sum(
        float(np.square(np.subtract(found[name], wanted[name], dtype=float)).sum())
        for name in names
    )
    return math.sqrt(differences / squares)


def test_two_ranks_take_the_steps_of_one_process() -> None:
    digests = compared(2, "warm", batch=3, steps=2, anchored=1)
    assert digests[0] == digests[1]


def two_steps(kind: type[ThreadCarrier], carrier: ThreadCarrier) -> str:
    """The digest of one of two ranks after two steps, with a carrier of its kind."""
    own = kind(carrier._together, carrier.rank, carrier._beside)
    trainer = _core.Trainer(communicator=own, **ORIGINAL)
    for number in range(2):
        a_step(trainer, 4, number, 0, slice(carrier.rank, None, 2))
    return digest(trainer.state())


def test_what_is_sent_while_others_are_computed_is_the_same_to_the_last_bit() -> None:
    sent: list[int] = []

    class Counting(ThreadCarrier):
        def exchange(self, parts: memoryview, received: memoryview) -> None:
            sent.append(len(parts))
            super().exchange(parts, received)

    beside, at_the_end = (
        run_ranks(2, partial(two_steps, Counting), beside=beside) for beside in (True, False)
    )
    assert beside == at_the_end and len(set(beside)) == 1
    assert len(sent) == 2 * 4, "of a warm start, of D twice, and of G"


@pytest.mark.parametrize("when", [0, 2])
def test_a_failure_of_what_is_sent_beside_ends_the_step(when: int) -> None:
    class Failing(ThreadCarrier):
        calls = 0

        def apart(self) -> ThreadCarrier | None:
            return Failing(self._beside or self._together, self.rank)

        def exchange(self, parts: memoryview, received: memoryview) -> None:
            self.calls += 1
            if self.calls > when:
                raise ConnectionError("the other one is gone")
            super().exchange(parts, received)

    ends = run_ranks(2, partial(two_steps, Failing))
    assert any(str(end) == "the other one is gone" for end in ends)
    # The first one that ends may break off what the other one waits for.
    assert all(isinstance(end, ConnectionError | BrokenBarrierError) for end in ends)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("recipe", ["original", "warm", "projected", *FURTHER])
def test_ranks_take_the_steps_of_one_process(recipe: str, ranks: int) -> None:
    batch, anchored = (11, 4) if recipe in ("warm", "projected") else (7, 0)
    digests = compared(ranks, recipe, batch, steps=4, anchored=anchored)
    assert set(digests) == {digests[0]}
    assert digests == compared(ranks, recipe, batch, steps=4, anchored=anchored)


def test_a_rank_with_another_part_is_refused() -> None:
    def work(carrier: ThreadCarrier) -> None:
        real, latents = a_batch(2, 0)
        _core.Trainer(communicator=carrier).step(real, latents, whole=5)

    refused = run_ranks(2, work)
    assert "rank 0 has 3 of 5 images, not 2" in str(refused[0])
