# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces of an extraction on one HTML page: those kept, and those left out, by reason."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from ffgan import html_report, images
from ffgan.typing import RGB
from ffgan.wording import counted

THUMBNAIL: Final = 112
QUALITY: Final = 85

_STYLE: Final = """
.faces { display: grid; gap: .4rem; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
.faces img { border-radius: 4px; aspect-ratio: 1; }
"""


def contact_sheet(groups: Sequence[tuple[str, int, Sequence[tuple[str, RGB]]]], photos: int) -> str:
    """Return the page: no script, and no reference to anything outside of it.

    ``groups``: a title, the number of its faces, and some of them with a caption each.
    """
    total = sum(count for _, count, _ in groups)
    parts = [
        html_report.head(f"Faces of {counted(photos, 'photograph')}", _STYLE),
        f"{html_report.OPEN}<h1>{counted(total, 'face')} in {counted(photos, 'photograph')}</h1>",
    ]
    for title, count, pictures in groups:
        some = "" if len(pictures) == count else f", {len(pictures)} of them"
        parts.append(f"<h2>{html.escape(title)}: {count:,}{some}</h2>")
        parts += ['<div class="faces">', *(_figure(*picture) for picture in pictures), "</div>"]
    parts.append(html_report.CLOSE)
    return "\n".join(parts)


def _figure(caption: str, face: RGB) -> str:
    thumbnail = images.resize(face, THUMBNAIL)
    return html_report.inline_image(thumbnail, caption, QUALITY, tooltip=True)
