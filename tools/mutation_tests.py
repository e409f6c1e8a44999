#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation tests: break the code in small ways and count how often its tests notice.

For each target a seeded choice of mutants is drawn, each the source with one change: a comparison
or an operator exchanged, a condition negated, a number raised by one, a returned value dropped or a
statement removed. The target's tests run against a copy of the package with that change; a mutant
is caught where they fail or take too long. Some mutants cannot be caught because they change
nothing that matters, so a share of 100 % is no aim; the survivors are printed to be looked at.

    python tools/mutation_tests.py                       # every target, 20 mutants each
    python tools/mutation_tests.py latent images
    python tools/mutation_tests.py mine:latent.py,shapes.py=tests/test_latent.py

mutmut 3.8, the usual tool, knows sources in ``src/``, ``source/`` or the folder itself, not in
``python/``, and takes every mutant or those named, no sample.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Target(NamedTuple):
    """Files of the package, and with what pytest runs the tests that are to notice."""

    files: list[str]
    tests: list[str]


TARGETS = {
    "latent": Target(["latent.py"], ["tests/test_latent.py"]),
    "metrics": Target(["evaluation/metrics.py"], ["tests/evaluation/test_metrics.py"]),
    "faces": Target(
        ["faces/alignment.py", "extraction/quality.py"],
        ["tests/faces/test_alignment.py", "tests/extraction/test_quality.py"],
    ),
    "images": Target(
        [
            *(
                "images/containers/jpeg.py",
                "images/containers/png.py",
                "images/decoding.py",
                "images/encoding.py",
            ),
            *("images/metadata.py", "images/transforms.py"),
        ],
        ["tests/images"],
    ),
    "dataset": Target(
        [
            *("dataset/availability.py", "dataset/batches.py", "dataset/dataset.py"),
            *("dataset/image_files.py", "dataset/packed_file.py"),
            *("dataset/sources/folder.py", "dataset/sources/listing.py"),
        ],
        ["tests/dataset"],
    ),
    "run_folder": Target(
        ["training/run_folder.py", "storage.py"],
        ["tests/test_storage.py", "tests/training/test_run_folder.py"],
    ),
    "model": Target(
        ["model/file.py", "model/model.py", "model/candidate_search.py"],
        [
            *("tests/model/test_candidate_search.py", "tests/model/test_file.py"),
            "tests/model/test_model.py",
        ],
    ),
    "settings": Target(
        ["settings.py", "training/settings.py", "training/plan.py"],
        [
            *("tests/test_settings.py", "tests/training/test_settings.py"),
            *("tests/docs/test_settings_tables.py", "tests/training/test_plan.py"),
            "tests/training/test_recipes.py",
        ],
    ),
    "server": Target(
        ["server/http/parameters.py", "server/inference/batching.py"],
        [
            *("tests/server/test_parameters.py", "tests/server/test_batching.py"),
            *("tests/server/test_service.py", "tests/server/test_face_routes.py"),
            *("tests/server/test_grids.py", "tests/server/test_archives.py"),
            *("tests/server/test_interpolations.py", "tests/server/test_latent_routes.py"),
        ],
    ),
    "training": Target(
        [
            *("training/loop.py", "training/run_state.py", "training/divergence.py"),
            *("training/trainer.py", "training/inputs.py", "training/pace.py"),
            "training/estimate.py",
        ],
        [
            *("tests/training/test_loop.py", "tests/training/test_trainer.py"),
            *("tests/training/test_divergence.py", "tests/training/test_estimate.py"),
            *("tests/training/test_run_state.py", "tests/training/test_evaluations.py"),
        ],
    ),
}

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


class Site(NamedTuple):
    """A place for a mutant: its line, what happens there, and the function that does it."""

    line: int
    what: str
    mutate: Callable[[], None]


def replace_with(parent: ast.AST, field: str, position: int | None, new: ast.AST) -> None:
    if position is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[position] = new


def children(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """A node's children, without types, which do nothing when a program runs."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        if isinstance(value, ast.AST):
            yield value, field, None
        elif isinstance(value, list):
            for position, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield child, field, position


def is_typing(node: ast.AST) -> bool:
    """Whether a statement is an alias of a type, a docstring or for the type checker only."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name == "__all__" or (
            isinstance(node.value, ast.Subscript | ast.BinOp)
            and name[:1].isupper()
            and not name.isupper()
        )
    return isinstance(node, ast.Import | ast.ImportFrom)


def sites(parent: ast.AST) -> Iterator[Site]:
    """All places for mutants below a node, in the order of the text."""
    for node, field, position in children(parent):
        if is_typing(node):
            continue
        line = getattr(node, "lineno", 0)

        def put(
            new: ast.AST, parent: ast.AST = parent, field: str = field, at: int | None = position
        ) -> Callable[[], None]:
            return lambda: replace_with(parent, field, at, new)

        def negated(test: ast.expr) -> ast.expr:
            return ast.UnaryOp(ast.Not(), test)

        match node:
            case ast.Compare():
                for k, operator in enumerate(node.ops):
                    new = COMPARISONS[type(operator)]
                    yield Site(
                        line,
                        f"{type(operator).__name__} becomes {new.__name__}",
                        lambda node=node, k=k, new=new: replace_with(node, "ops", k, new()),
                    )
            case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
                if not (isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant)):
                    new = OPERATORS[type(node.op)]
                    yield Site(
                        line,
                        f"{type(node.op).__name__} becomes {new.__name__}",
                        lambda node=node, new=new: replace_with(node, "op", None, new()),
                    )
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield Site(
                    line,
                    f"{type(node.op).__name__} becomes {type(other).__name__}",
                    lambda node=node, other=other: replace_with(node, "op", None, other),
                )
            case ast.UnaryOp(op=ast.Not()):
                yield Site(line, "not is dropped", put(node.operand))
            case ast.If() | ast.While() | ast.IfExp():
                yield Site(
                    line,
                    "the condition is negated",
                    lambda node=node: replace_with(node, "test", None, negated(node.test)),
                )
            case ast.Constant(value=bool()):
                yield Site(
                    line,
                    f"{node.value} becomes {not node.value}",
                    put(ast.Constant(not node.value)),
                )
            case ast.Constant(value=int() | float()):
                yield Site(
                    line,
                    f"{node.value} becomes {node.value + 1}",
                    put(ast.Constant(node.value + 1)),
                )
            case ast.Return(value=ast.expr()):
                if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                    yield Site(line, "returns None", put(ast.Return(ast.Constant(None))))
            case ast.Raise() | ast.Expr(value=ast.Call()):
                yield Site(line, f"removed: {ast.unparse(node)[:60]}", put(ast.Pass()))
        yield from sites(node)


class Mutant(NamedTuple):
    file: str
    line: int
    what: str
    source: str


def mutants(sources: Path, files: list[str], count: int, seed: str) -> list[Mutant]:
    """A seeded choice of mutants of some files, in the order of the files and lines."""
    places = []
    for file in files:
        tree = ast.parse((sources / file).read_text(encoding="utf-8"))
        places += [(file, number) for number in range(len(list(sites(tree))))]
    chosen = random.Random(seed).sample(places, min(count, len(places)))
    made = []
    for file, number in sorted(chosen, key=lambda place: (files.index(place[0]), place[1])):
        tree = ast.parse((sources / file).read_text(encoding="utf-8"))
        site = list(sites(tree))[number]
        site.mutate()
        source = ast.unparse(ast.fix_missing_locations(tree))
        made.append(Mutant(file, site.line, site.what, source))
    return made


def passes(package: Path, tests: list[str], limit: float | None) -> bool:
    """Whether the tests pass against a copy of the package."""
    environment = {
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # saves two seconds a mutant
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        # Whatever a broken program has left running.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def run(name: str, target: Target, arguments: argparse.Namespace) -> tuple[int, int]:
    """Test one target and print what survived; how many were caught, of how many."""
    with tempfile.TemporaryDirectory() as folder:
        sources, package = arguments.sources / "ffgan", Path(folder) / "ffgan"
        shutil.copytree(sources, package, ignore=shutil.ignore_patterns("__pycache__"))
        began = time.monotonic()
        if not passes(Path(folder), target.tests, None):
            raise SystemExit(f"{name}: the tests fail without any change")
        limit = 30 + 5 * (time.monotonic() - began)
        drawn = mutants(sources, target.files, arguments.mutants, f"{arguments.seed} {name}")
        survivors = []
        for mutant in drawn:
            changed = package / mutant.file
            original = changed.read_text(encoding="utf-8")
            changed.write_text(mutant.source, encoding="utf-8")
            if passes(Path(folder), target.tests, limit):
                survivors.append(mutant)
            changed.write_text(original, encoding="utf-8")
    caught = len(drawn) - len(survivors)
    print(f"{name}: {caught} of {len(drawn)} caught", flush=True)
    for mutant in survivors:
        print(f"    survived: {mutant.file}:{mutant.line}: {mutant.what}", flush=True)
    return caught, len(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "targets",
        nargs="*",
        default=list(TARGETS),
        metavar="TARGET",
        help=f"one of {', '.join(TARGETS)}, or NAME:FILE,FILE=TESTS,TESTS",
    )
    parser.add_argument("--mutants", type=int, default=20, help="how many of each target")
    parser.add_argument("--seed", type=int, default=0, help="decides which ones")
    parser.add_argument("--sources", type=Path, default=ROOT / "python", help="holds ffgan/")
    arguments = parser.parse_args()
    caught = drawn = 0
    for target in arguments.targets:
        name, _, rest = target.partition(":")
        if rest:
            files, _, tests = rest.replace(",", " ").partition("=")
            chosen = Target(files.split(), shlex.split(tests))
        elif name in TARGETS:
            chosen = TARGETS[name]
        else:
            parser.error(f"no target {name}")
        of_target = run(name, chosen, arguments)
        caught += of_target[0]
        drawn += of_target[1]
    print(f"together: {caught} of {drawn} caught")


if __name__ == "__main__":
    main()
