# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces of an extraction on one HTML page: those kept, and those left out, by reason."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Final

from ffgan import images
from ffgan.training.report import STYLE
from ffgan.typing import RGB

THUMBNAIL: Final = 112
QUALITY: Final = 85

_STYLE: Final = """
.faces { display: grid; gap: .4rem; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
.faces img { border-radius: 4px; aspect-ratio: 1; }
"""


def contact_sheet(groups: Sequence[tuple[str, int, Sequence[tuple[str, RGB]]]], photos: int) -> str:
    """Return the page: no script, and no reference to anything outside of it.

    ``groups``: a title, how many faces there are, and some of them with what is to be said of each.
    """
    total = sum(count for _, count, _ in groups)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Faces of {photos:,} photographs</title><style>{STYLE}{_STYLE}</style></head>",
        f"<body><main><h1>{total:,} faces in {photos:,} photographs</h1>",
    ]
    for title, count, pictures in groups:
        some = "" if len(pictures) == count else f", {len(pictures)} of them"
        parts.append(f"<h2>{html.escape(title)}: {count:,}{some}</h2>")
        parts += ['<div class="faces">', *(_figure(*picture) for picture in pictures), "</div>"]
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _figure(caption: str, face: RGB) -> str:
    data = base64.b64encode(images.encode(images.resize(face, THUMBNAIL), "jpg", QUALITY)).decode()
    text = html.escape(caption, quote=True)
    return (
        f'<img alt="{text}" title="{text}" width="{THUMBNAIL}" height="{THUMBNAIL}" '
        f'src="data:image/jpeg;base64,{data}">'
    )
