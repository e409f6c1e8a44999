# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for the trainer has the trainer's interface, by the stub that mypy checks."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from support.training import SmallTrainer

import ffgan
from ffgan import _core

STUB = Path(ffgan.__file__).with_name("_core.pyi")


def methods() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(STUB.read_text("utf-8"))
    (trainer,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trainer"
    )
    return {node.name: node for node in trainer.body if isinstance(node, ast.FunctionDef)}


SHARED = [name for name in methods() if hasattr(SmallTrainer, name) and not name.startswith("_")]


def test_the_stand_in_offers_nothing_that_the_trainer_lacks() -> None:
    public = {name for name in vars(SmallTrainer) if not name.startswith("_")}
    assert public - {"calls", "during_step"} <= set(methods())
    assert {"step", "reconstruct", "state", "load_state"} <= set(SHARED)


@pytest.mark.parametrize("name", SHARED)
def test_a_method_has_the_parameters_of_the_trainers(name: str) -> None:
    assert hasattr(_core.Trainer, name)
    stub = methods()[name].args
    parameters = inspect.signature(getattr(SmallTrainer, name)).parameters.values()
    by_place = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert [p.name for p in by_place] == [a.arg for a in stub.args]
    assert [p.name for p in by_name] == [a.arg for a in stub.kwonlyargs]
    defaults = [p.default for p in (*by_place, *by_name) if p.default is not p.empty]
    expected = [*stub.defaults, *(d for d in stub.kw_defaults if d is not None)]
    assert defaults == [ast.literal_eval(default) for default in expected]
