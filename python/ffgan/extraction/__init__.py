# SPDX-License-Identifier: GPL-3.0-or-later
"""From photographs to a training set: detect faces, cut them out upright, leave out bad ones.

`extract` processes each photograph once, on all cores, and appends what it finds to a journal.
When all are done, it decides from the journal which faces are kept; so a stopped run resumes, a run
with other thresholds only decides again, and only photographs that are new are processed.
Photographs are never written to. docs/extract.md has the measurements behind the defaults.
"""

from __future__ import annotations

from ffgan.extraction.pipeline import EMBEDDINGS, MANIFEST, SHEET, extract
from ffgan.extraction.selection import REASONS
from ffgan.extraction.settings import Settings
from ffgan.extraction.summary import SKIPPED, WITHOUT_FACE, Extracted, table

__all__ = [
    "EMBEDDINGS",
    "MANIFEST",
    "REASONS",
    "SHEET",
    "SKIPPED",
    "WITHOUT_FACE",
    "Extracted",
    "Settings",
    "extract",
    "table",
]
