# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: settings in files and on the command line, and what clients send to the server."""

from __future__ import annotations

import io
import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote

import numpy as np
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ffgan.extraction.settings import Settings as ExtractionSettings
from ffgan.server.http.errors import RequestError
from ffgan.server.http.parameters import FaceParameters, SeedRangeParameters, with_limits
from ffgan.server.http.query import tidied
from ffgan.server.routes import latents
from ffgan.server.settings import Settings as ServerSettings
from ffgan.settings import assignment, read_file
from ffgan.shapes import LATENT_SIZE
from ffgan.training import recipes
from ffgan.training.settings import Settings as TrainingSettings
from fuzz.mutation import TEXTS, copy, json_bytes, one_byte_string, one_json_value, one_text
from fuzz.target import Target

MODELS: tuple[Any, ...] = (TrainingSettings, ExtractionSettings, ServerSettings)


def settings_text(model: Any) -> str:
    """A TOML file with a value for settings of every type."""
    lines = ["# settings"]
    for name, about in model.about().items():
        value = about.default
        if isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        elif isinstance(value, (int, float)):
            lines.append(f"{name.replace('_', '-')} = {value}")
        elif isinstance(value, str) and value:
            lines.append(f'{name} = "{value}"')
    return "\n".join(lines) + "\n"


class SettingsFile(Target):
    """TOML files of settings, and recipes."""

    name = "settings"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "settings.toml"
        self.seeds = [settings_text(model) for model in MODELS]
        packaged = [recipes.FOLDER / f"{name}.toml" for name in recipes.PACKAGED]
        self.seeds += [path.read_text() for path in packaged]
        self.words = [*TEXTS, *[line + "\n" for seed in self.seeds for line in seed.splitlines()]]
        for index in range(len(MODELS)):
            self.run((index, self.seeds[index].encode()))

    def input(self, random: Random) -> tuple[int, bytes]:
        index = random.randrange(len(self.seeds))
        text = one_text(random, self.seeds[index], self.words)
        data = text.encode("utf-8", "surrogatepass")
        if random.random() < 0.2:
            data = one_byte_string(random, data)
        return index, data

    def run(self, data: tuple[int, bytes]) -> None:
        index, content = data
        self.path.write_bytes(content)
        if index >= len(MODELS):
            recipes.load(str(self.path))
            return
        model = MODELS[index]
        model(**read_file(self.path, model))

    def bound(self, data: tuple[int, bytes]) -> int:
        return super().bound(data[1])


class Assignment(Target):
    """``--set NAME=VALUE``."""

    name = "set"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.seeds = [
            (model, f"{name}={about.default}")
            for model in MODELS
            for name, about in model.about().items()
        ]
        self.words = [*TEXTS, "=", "==", "-", "--", "true", "none", "1e5", "0x10", "1_000"]

    def input(self, random: Random) -> tuple[Any, str]:
        model, text = random.choice(self.seeds)
        return model, one_text(random, text, self.words)

    def run(self, data: tuple[Any, str]) -> None:
        model, text = data
        name, value = assignment(text, model)
        model(**{name: value})

    def bound(self, data: tuple[Any, str]) -> int:
        return super().bound(data[1])


class Query(Target):
    """Query strings of a face and of many faces, as their endpoints read them."""

    name = "query"
    own = (RequestError, RequestValidationError)

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        settings = ServerSettings()
        self.models = [
            with_limits(parameters, settings)
            for parameters in (FaceParameters, SeedRangeParameters)
        ]
        self.seeds = [
            "seed=7&size=162&quality=90&truncation=0.7&tries=3&threshold=-1.5",
            "seeds=12,99,7&at=1.5&move=0:1.5,3:-2&size=64",
            "seed=18446744073709551615&count=1",
            "count=16&truncation=2",
        ]
        self.words = [*[part for seed in self.seeds for part in seed.split("&")], *TEXTS]
        self.words += ["fbclid=x", "utm_source=a", "_=1", "&seed=8"]
        self.words += ["&", "=", "%00", "+", "%", "&&", ",", ":", "1e3", "٣", "0" * 30 + "1"]

    def input(self, random: Random) -> str:
        text = one_text(random, random.choice(self.seeds), self.words)
        return quote(text, safe="=&,:%+.-", errors="replace")

    def run(self, data: str) -> None:
        model = self.models["count=" in data]
        known = {name: about.description or "" for name, about in model.model_fields.items()}
        query = dict(parse_qsl(tidied(data.encode(), known).decode()))
        try:
            parameters = model.model_validate(query)
        except ValidationError as error:
            json.dumps(error.json())
            raise RequestValidationError(error.errors()) from error
        if isinstance(parameters, FaceParameters):
            for index, amount in parameters.moves:
                assert 0 <= index < 100 and abs(amount) <= 6
            if parameters.seeds is not None:
                seeds, position = parameters.between
                assert len(seeds) in (1, 2) and 0 <= position < 1
        elif isinstance(parameters, SeedRangeParameters):
            assert parameters.first >= 0


class Uploads(Target):
    """Latents that a client sends, as JSON and as a NumPy file."""

    name = "latents"
    own = (RequestError,)

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.value = {"latents": [[0.5] * LATENT_SIZE, [-1.0] * LATENT_SIZE], "seeds": [1, 2]}
        self.arrays = []
        for array in (np.zeros((2, LATENT_SIZE), np.float32), np.ones((3, LATENT_SIZE))):
            content = io.BytesIO()
            np.save(content, array)
            self.arrays.append(content.getvalue())
            self.run(self.arrays[-1])

    def input(self, random: Random) -> bytes:
        if random.random() < 0.3:
            return json_bytes(random, one_json_value(random, copy(self.value), ("latents",)))
        data = random.choice(self.arrays)
        head = 128
        if random.random() < 0.5:
            return one_byte_string(random, data[:head]) + data[head:]
        text = one_text(random, data[10:head].decode("latin-1"), NPY_WORDS)
        header = text.encode("latin-1", "replace")
        return data[:8] + (len(header) % 65536).to_bytes(2, "little") + header + data[head:]

    def run(self, data: bytes) -> None:
        read = latents._from_npy if data[:1] == b"\x93" else latents._from_json
        array = read(data, 8)
        assert array.dtype == np.float32 and array.shape[1] == LATENT_SIZE
        assert 1 <= len(array) <= 8 and np.isfinite(array).all()


NPY_WORDS = (
    *("'descr'", "'<f4'", "'|O'", "'<f8'", "'>f4'", "'<U9999999'", "[('a', '<f4')]", "True"),
    *("(2, 100)", "(2**9, 100)", "(-1, 100)", "(0, 100)", "(99999999999, 100)", "(2, 100, 1)"),
    *("((" * 50, "[" * 300, "1" * 5000, "-" * 300, "{" * 200, "1e999", "1j", "'fortran_order'"),
)
