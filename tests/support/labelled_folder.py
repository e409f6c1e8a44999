# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of a data set that `ffgan dataset` made as a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def rows(folder: Path) -> list[dict[str, Any]]:
    """The labels of each picture and its ``path``, in the order of the set."""
    found = [
        {**json.loads(line), "path": path.parent / json.loads(line)["file_name"]}
        for path in folder.rglob("metadata.jsonl")
        for line in path.read_text().splitlines()
    ]
    return sorted(found, key=lambda row: int(row["index"]))
