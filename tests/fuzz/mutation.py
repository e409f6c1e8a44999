# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations of bytes, of JSON values and of text: what a damaged or hostile file may hold."""

from __future__ import annotations

import json
import marshal
from collections.abc import Sequence
from random import Random
from typing import Any

WHOLE = (0, 1, -1, 2, 7, 255, 256, 65535, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63 - 1, 2**63)
NUMBERS = (*WHOLE, 2**64 - 1, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e-320, 1e308)
NUMBERS = (*NUMBERS, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "nan",
    "null",
    "a\nb",
    "\0",
    "\x1b[31m",
    "..",
    "../../x",
    "/etc/passwd",
    "é",
    "‮",
    "\ud800",
    "x" * 300,
    "9" * 5000,
    "%s{0}$HOME",
)
_DEEP = "a place for deep nesting"


def one_byte_string(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """``data`` after one to four mutations; ``others`` are files to splice with."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        _change(random, changed, others)
    return bytes(changed)


def _change(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    kind = random.randrange(12)
    if not data:
        data += random.randbytes(random.randrange(1, 64))
        return
    at = random.randrange(len(data))
    if random.random() < 0.3:  # the head of a file decides most
        at = random.randrange(min(len(data), 64))
    if kind <= 2:
        data[at] ^= 1 << random.randrange(8)
    elif kind == 3:
        data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, random.randrange(256)))
    elif kind <= 5:
        size = random.choice((2, 4, 8))
        value = random.choice((*WHOLE, len(data), len(data) - 8, 2**64 - 1))
        order = random.choice(("little", "big"))
        data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, order)
    elif kind == 6:
        del data[at : at + random.choice((1, 2, 4, 16, 256))]
    elif kind == 7:
        part = data[at : at + random.choice((1, 4, 16, 64, 1024))]
        place = random.randrange(len(data))
        data[place:place] = part
    elif kind == 8:
        data[at:at] = random.randbytes(random.choice((1, 2, 4, 16)))
    elif kind == 9:
        del data[at:]
    elif kind == 10:
        end = at + random.choice((4, 64, 1024))
        data[at:end] = bytes(len(data[at:end]))
    elif others:
        other = random.choice(others)
        data[at:] = other[random.randrange(len(other) + 1) :]


def one_json_value(random: Random, value: Any, names: Sequence[str] = ()) -> Any:
    """``value``, which is JSON's, after one to three mutations of what is in it.

    ``names`` are further keys that mean something. The value is changed in place.
    """
    root = [value]
    for _ in range(random.choice((1, 1, 2, 3))):
        holder, key = _a_place(random, root)
        old = holder[key]
        kind = random.randrange(8)
        if kind == 0 and holder is not root:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[random.choice((*TEXTS, *names, key + "x"))] = holder.pop(key)
        elif kind == 2 and isinstance(old, list):
            old.extend([*old, *old] if random.random() < 0.5 else [_anything(random)])
        elif kind == 3 and isinstance(old, dict):
            old[random.choice((*TEXTS, *names))] = _anything(random)
        elif kind == 4 and isinstance(old, (int, float)):
            holder[key] = random.choice((old + 1, old - 1, -old, old * 2, str(old), [old]))
        elif kind == 5:
            other, its_key = _a_place(random, root)
            holder[key], other[its_key] = copy(other[its_key]), copy(old)  # one may hold the other
        else:
            holder[key] = _anything(random)
    return root[0]


def copy(value: Any) -> Any:
    """A deep copy of JSON's values, quickly."""
    return marshal.loads(marshal.dumps(value))


def _a_place(random: Random, root: list[Any]) -> tuple[Any, Any]:
    holder: Any = root
    key: Any = 0
    while isinstance(holder[key], (dict, list)) and holder[key] and random.random() < 0.85:
        holder = holder[key]
        key = random.choice(list(holder)) if isinstance(holder, dict) else _index(random, holder)
    return holder, key


def _index(random: Random, holder: list[Any]) -> int:
    return random.randrange(len(holder))


def _anything(random: Random) -> Any:
    kind = random.randrange(10)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind < 7:
        return random.choice(TEXTS)
    if kind == 7:
        return random.choice((None, True, False))
    if kind == 8:
        return random.choice(([], {}, [1], [[]], {"a": 1}, [None] * 5))
    return _DEEP if random.random() < 0.2 else [random.choice(NUMBERS), random.choice(TEXTS)]


def json_bytes(random: Random, value: Any) -> bytes:
    """The value as JSON, now and then nested deeply, with a key twice, or with bytes changed."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if _DEEP in text:
        depth = random.choice((50, 990, 1100, 20000))
        left, right = random.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(f'"{_DEEP}"', left * depth + "1" + right * depth)
    data = text.encode("utf-8", "surrogatepass")
    return one_byte_string(random, data) if random.random() < 0.2 else data


def one_text(random: Random, text: str, words: Sequence[str]) -> str:
    """``text`` after one to three mutations; ``words`` are put in or exchanged."""
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(text) + 1)
        end = at + random.choice((0, 1, 2, 8))
        part = random.choice(
            (
                random.choice(words),
                random.choice(TEXTS),
                str(random.choice(NUMBERS[:18])),
                repr(random.choice(NUMBERS[18:])),
                chr(random.choice((9, 10, 13, 34, 39, 44, 45, 46, 58, 61, 91, 93, 0x301, 0xFF10))),
                text[at : at + 20] * 2,
            )
        )
        text = text[:at] + part + text[end:]
    return text
