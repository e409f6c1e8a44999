# SPDX-License-Identifier: GPL-3.0-or-later
"""What pictures have to be like, in a small language: ``age >= 20 and abs(yaw) < 15``.

Names are those of attributes and of some labels; there are numbers, words in quotes, comparisons,
``and``, ``or``, ``not``, ``in``, the four operations of arithmetic, and ``abs``, ``min``, ``max``.
simpleeval computes it, with everything else taken out.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from ffgan.attributes import ATTRIBUTES
from ffgan.attributes.definitions import nearest_name
from ffgan.errors import ExtraError, UsageError

LONGEST: Final = 1000
"""Characters of an expression."""

MORE_NAMES: Final = ("score", "tries")
"""Labels that are no attributes."""

_FUNCTIONS: Final = {"abs": abs, "min": min, "max": max}
_OPERATORS: Final = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.UAdd, ast.Not),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
)
_NODES: Final = (
    *(ast.Expr, ast.Name, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Call, ast.Constant),
)
_NUMBER: Final = "number"
_WORD: Final = "word"
_LISTS: Final = (ast.Tuple, ast.List)
_WITHIN: Final = (*_NODES, *_LISTS, *_OPERATORS, ast.And, ast.Or, ast.Load)


class Where:
    """A condition on a picture; may be pickled and compared.

    Raises `UsageError` for what is none, `ExtraError` where simpleeval is not installed.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._check()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Where) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __getstate__(self) -> str:
        return self.text

    def __setstate__(self, text: str) -> None:
        self.text = text

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes that have to be measured."""
        return tuple(name for name in ATTRIBUTES if name in self._names)

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether a picture with these values by name is as asked.

        One of which a value is needed that could not be measured is not. Raises `UsageError` for a
        comparison of a number with a word.
        """
        evaluator = self._evaluator
        evaluator.names = {name: values[name] for name in self._names}
        if any(_unknown(value) for value in evaluator.names.values()):
            return False
        try:
            return bool(evaluator.eval(self.text, previously_parsed=self._tree))
        except ZeroDivisionError:
            return False
        except Exception as error:  # whatever a wrong type makes of an operation
            raise self._wrong(f"{error}") from error

    def _wrong(self, reason: str) -> UsageError:
        return UsageError(
            f"the condition {self.text!r} cannot be computed: {reason}; "
            "write it as in: age >= 20 and abs(yaw) < 15 and gender == 'female'"
        )

    @cached_property
    def _tree(self) -> ast.AST:
        if len(self.text) > LONGEST:
            raise UsageError(f"a condition has at most {LONGEST} characters, not {len(self.text)}")
        try:
            body = ast.parse(self.text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._wrong("it is not an expression") from error
        if len(body) != 1:
            raise self._wrong("give one expression")
        return body[0]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        functions = {id(one.func) for one in ast.walk(self._tree) if isinstance(one, ast.Call)}
        found = [
            one.id
            for one in ast.walk(self._tree)
            if isinstance(one, ast.Name) and id(one) not in functions
        ]
        return tuple(dict.fromkeys(found))

    @cached_property
    def _evaluator(self) -> Any:
        try:
            import simpleeval
        except ImportError as error:
            raise ExtraError(
                "a condition needs simpleeval: pip install 'ffgan[dataset]'"
            ) from error
        evaluator = simpleeval.SimpleEval(functions=dict(_FUNCTIONS), names={})
        evaluator.operators = {one: evaluator.operators[one] for one in _OPERATORS}
        evaluator.nodes = {one: evaluator.nodes[one] for one in _NODES}
        for one in _LISTS:
            evaluator.nodes[one] = lambda node: tuple(map(evaluator._eval, node.elts))
        return evaluator

    def _check(self) -> None:
        for node in ast.walk(self._tree):
            if not isinstance(node, _WITHIN):
                raise self._wrong(f"{type(node).__name__} is not part of its language")
            if isinstance(node, ast.Constant) and not isinstance(node.value, (int, float, str)):
                raise self._wrong(f"{node.value!r} is neither a number nor a word")
            if isinstance(node, ast.Call) and (
                not isinstance(node.func, ast.Name)
                or node.func.id not in _FUNCTIONS
                or node.keywords
            ):
                raise self._wrong(f"its functions are {', '.join(_FUNCTIONS)}")
        known = [*ATTRIBUTES, *MORE_NAMES]
        for name in self._names:
            if name not in known:
                near = nearest_name(name, known)
                hint = f"did you mean {near!r}?" if near else f"give some of {', '.join(known)}"
                raise UsageError(f"the condition {self.text!r} names {name!r}: {hint}")
        try:
            whole = self._kind(self._whole)
        except RecursionError as error:
            raise self._wrong("its parts lie too deep in each other") from error
        if whole == _WORD:
            raise self._wrong("a word is neither true nor false")
        for name, word in _words(self._tree):
            ATTRIBUTES[name].range_of(word)
        for number in (0.5, 50.0):  # on a picture of the middle: what it computes has to be a truth
            self.accepts({name: _example(name, number) for name in self._names})

    @property
    def _whole(self) -> ast.AST:
        return self._tree.value if isinstance(self._tree, ast.Expr) else self._tree

    def _kind(self, node: ast.AST) -> str:
        """Whether a part is a number, as truths are, or a word.

        Python would compare the two, and find letters in a word: ``gender in ('female')`` is true
        of "male".
        """
        if isinstance(node, ast.Constant):
            return _WORD if isinstance(node.value, str) else _NUMBER
        if isinstance(node, ast.Name):
            one = ATTRIBUTES.get(node.id)
            return _WORD if one is not None and one.kind == "choice" else _NUMBER
        if isinstance(node, ast.Compare):
            left = self._kind(node.left)
            for operator, right in zip(node.ops, node.comparators, strict=True):
                left = self._compared(left, operator, right)
        elif isinstance(node, _LISTS):
            raise self._wrong("a list stands only behind in")
        else:
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr) and part is not getattr(node, "func", None):
                    self._needs(_NUMBER, part)
        return _NUMBER

    def _compared(self, left: str, operator: ast.cmpop, right: ast.expr) -> str:
        """The kind of what stands right of a comparison."""
        if isinstance(operator, (ast.In, ast.NotIn)):
            if not isinstance(right, _LISTS):
                raise self._wrong("behind in stands a list, such as ('fair', 'medium') or (1,)")
            for part in right.elts:
                self._needs(left, part)
            return left
        if left == _WORD and not isinstance(operator, (ast.Eq, ast.NotEq)):
            raise self._wrong("of two words none is larger")
        self._needs(left, right)
        return left

    def _needs(self, kind: str, node: ast.expr) -> None:
        if self._kind(node) != kind:
            raise self._wrong(f"{ast.unparse(node)!r} is no {kind}")


def _unknown(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _example(name: str, number: float) -> Any:
    one = ATTRIBUTES.get(name)
    return one.choices[0] if one is not None and one.kind == "choice" else number


def _words(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The words that choices are compared with, by the names of these."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            names = [
                side.id
                for side in sides
                if isinstance(side, ast.Name)
                and side.id in ATTRIBUTES
                and ATTRIBUTES[side.id].kind == "choice"
            ]
            for side in sides:
                members = side.elts if isinstance(side, _LISTS) else [side]
                for one in members:
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield from ((name, one.value) for name in names)
