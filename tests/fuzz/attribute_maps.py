# SPDX-License-Identifier: GPL-3.0-or-later
"""Target: the fitted attributes in a model's metadata, and moves by them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ffgan.control.fitted_map import LARGEST_TEXT, AttributeMap, known_columns
from ffgan.control.moves import Mover
from fuzz.mutation import copy, json_bytes, one_json_value
from fuzz.target import MEBIBYTE, Target

ARRAYS = ("linear", "directions", "quadratic", "identity")
HALVES = (0.0, -0.0, 1e-7, 1.0, -300.0, 65504.0, -65504.0, float("inf"), float("nan"))


class AttributeMapText(Target):
    """Fitted attributes: values of the JSON, and numbers within its packed arrays.

    What is read is used: moves towards values that are asked for, and what came of them.
    """

    name = "attributes"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        random = np.random.default_rng(1)
        columns = known_columns()[:4]
        ones = np.ones(len(columns))
        quadratic = 0.1 * random.standard_normal((len(columns), 3, 3))
        good = AttributeMap(
            "0" * 64,
            columns,
            mean=0.5 * ones,
            deviation=0.1 * ones,
            constant=0 * ones,
            linear=random.standard_normal((len(columns), 100)) / 10,
            directions=random.standard_normal((3, 100)) / 10,
            quadratic=quadratic + quadratic.transpose(0, 2, 1),
            identity=random.standard_normal((2, 100)) / 100,
            low=0 * ones,
            high=ones,
            linear_fit=0.5 * ones,
            fit=0.6 * ones,
            samples=1000,
        )
        self.latent = np.rint(random.standard_normal(100) * 64) / 64
        self.text = good.encode()
        self.value = json.loads(self.text)
        self.run(self.text)

    def input(self, random: Random) -> str:
        value: Any = copy(self.value)
        if random.random() < 0.5:
            for _ in range(random.choice((1, 1, 2, 4))):
                name = random.choice(ARRAYS)
                array = np.frombuffer(base64.b64decode(value[name]), "<f2").copy()
                begin = random.randrange(len(array) + 1)
                end = random.choice((begin + 1, begin + 100, len(array)))
                array[begin:end] = random.choice(HALVES)
                if random.random() < 0.1:
                    array = array[:begin]
                if random.random() < 0.1:
                    array = np.tile(array, random.choice((2, 100)))
                value[name] = base64.b64encode(array.tobytes()).decode()
        if random.random() < 0.6:
            value = one_json_value(random, value, tuple(self.value))
        text = json_bytes(random, value).decode("utf-8", "replace")
        return text * 100 if random.random() < 0.01 else text

    def run(self, data: str) -> None:
        fitted = AttributeMap.decode(data, "model.safetensors")
        assert len(data) <= LARGEST_TEXT
        assert AttributeMap.decode(fitted.encode(), "again").columns == fitted.columns
        places = [len(fitted.columns) - 1]
        middle = (fitted.low + fitted.high) / 2
        aims = fitted.standardised(middle)[places]
        mover = Mover(fitted, self.latent, places, aims)
        here, measured = self.latent, fitted.standardised(fitted.low)[places]
        for _ in range(2):
            there = mover.step(here, measured)
            assert np.isfinite(there).all()
            mover.learn(here, there, aims - measured)
            here, measured = there, aims

    def bound(self, data: str) -> int:
        # Its directions' square, for each of 64 columns.
        return 64 * MEBIBYTE + 40 * len(data)
