# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of what the networks make of fixed inputs: faces, scores, ages and genders.

    python tools/golden_hashes.py            with the instruction set in use, as JSON
    python tools/golden_hashes.py --check    compares them with tests/fixtures/golden.json
    python tools/golden_hashes.py --write    writes that file anew

`--faces 1` takes one face instead of 64, for emulated processors, which are slow.

They are the same on every processor and with every instruction set (`FFGAN_ISA`), and
tests/core/test_golden.py holds them to the file. They change with the packaged model and with the
arithmetic of inference; both are rare, and are said in the changelog.

Besides the packaged model there is one whose parameters are counted, not trained, so that a new
model leaves its digests as they are, and there is one for each discriminator.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np

import ffgan
from ffgan import _core
from ffgan.attributes import networks
from ffgan.errors import ExtraError
from ffgan.latent import noise
from ffgan.model.file import by_network
from ffgan.typing import Float32

FILE = Path(__file__).parents[1] / "tests" / "fixtures" / "golden.json"
FACES = (64, 1)
OTHERS = 8  # of the networks that are counted, not trained


def uniform(shape: tuple[int, ...], start: int) -> Float32:
    """Numbers in [-1, 1) of 24 bits, by counting (the mix of splitmix64)."""
    z = np.arange(start, start + int(np.prod(shape)), dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    values = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return values.reshape(shape)


def counted_parameters(
    network: Literal["generator", "program", "table"],
) -> dict[str, Float32]:
    """Parameters of a network, whose layers neither amplify nor damp much."""
    parameters = {}
    for start, (name, shape) in enumerate(sorted(_core.parameter_shapes(network).items())):
        values = uniform(shape, start << 32)
        if name.startswith("norm"):
            values = 1 + values / 4 if name.endswith(("weight", "running_var")) else values / 8
        elif len(shape) > 1:
            # In the transposed convolutions of a generator each output sees a quarter of the taps.
            seen = shape[0] * 4 if network == "generator" else int(np.prod(shape[1:]))
            values *= np.float32(np.sqrt(3 / seen))
        parameters[name] = np.ascontiguousarray(values, np.float32)
    return parameters


def digest(values: Any) -> str:
    """Of an array: its type, shape and bytes, little-endian."""
    values = np.ascontiguousarray(values)
    text = f"{values.dtype.name} {values.shape} ".encode()
    return hashlib.sha256(
        text + values.astype(values.dtype.newbyteorder("<")).tobytes()
    ).hexdigest()


def hashes(count: int) -> dict[str, str]:
    """The digests of so many faces, by what they are of."""
    found = {}
    latents = np.stack([noise(seed) for seed in range(count)])
    model = ffgan.load()
    found["faces, model"] = digest(faces := model.render(latents))
    own = _core.Generator(by_network(model.parameters)["generator"])
    found["planes, model"] = digest(own.generate_float(latents))
    generator = _core.Generator(counted_parameters("generator"))
    found["faces, counted"] = digest(generator.generate(latents[:OTHERS]))
    found["planes, counted"] = digest(generator.generate_float(latents[:OTHERS]))
    found[f"scores, model ({model.discriminator})"] = digest(model.score(faces))
    for network in ("program", "table"):
        judge = _core.Discriminator(network, counted_parameters(network), 0.5)
        found[f"scores, counted {network}"] = digest(judge.score(faces[:OTHERS]))
    try:
        for name, side, probabilities in (
            ("age", networks.AGE_SIDE, networks.ages),
            ("gender", networks.GENDER_SIDE, networks.genders),
        ):
            found[name] = digest(
                probabilities(np.ascontiguousarray(faces[:, 40 : 40 + side, 40 : 40 + side]))
            )
    except ExtraError as error:
        print(f"age and gender are left out: {error}", file=sys.stderr)
    return found


def check(count: int) -> int:
    """Compares with the file; 1, and what differs, where something does."""
    expected = json.loads(FILE.read_text("utf-8"))[str(count)]
    found = hashes(count)
    # Without their files age and gender are left out.
    differing = [
        name
        for name in expected
        if found.get(name) != expected[name]
        and not (name in ("age", "gender") and name not in found)
    ]
    for name in differing:
        print(f"{name}: {found.get(name)} instead of {expected[name]}", file=sys.stderr)
    print(
        f"{len(found) - len(differing)} of {len(found)} digests of {count} faces as expected, with"
        f" {_core.engine()['instructions']}"
    )
    return bool(differing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help=f"against {FILE.name}")
    action.add_argument("--write", action="store_true", help=f"{FILE.name} anew")
    parser.add_argument("--faces", type=int, choices=FACES, default=FACES[0])
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.faces)
    if arguments.write:
        text = json.dumps({str(count): hashes(count) for count in FACES}, indent=2) + "\n"
        FILE.write_text(text, encoding="utf-8")
    else:
        print(json.dumps(hashes(arguments.faces), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
