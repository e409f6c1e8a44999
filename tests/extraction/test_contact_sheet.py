# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import re

import numpy as np

from ffgan import images
from ffgan.extraction.contact_sheet import THUMBNAIL, contact_sheet


def test_the_page_shows_each_group_and_escapes_names() -> None:
    red = np.full((200, 200, 3), (250, 0, 0), np.uint8)
    page = contact_sheet(
        [("kept", 1200, [('<b>"&.jpg', red)] * 2), ("blurred", 1, [("c.jpg", red)])], 700
    )
    assert "1,201 faces in 700 photographs" in page
    assert "kept: 1,200, 2 of them" in page
    assert "blurred: 1<" in page
    assert "&lt;b&gt;&quot;&amp;.jpg" in page
    assert "<b>" not in page
    pictures = re.findall(r"base64,([^\"]+)", page)
    assert len(pictures) == 3
    picture = images.decode(base64.b64decode(pictures[0]))
    assert picture.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert np.abs(picture.astype(int) - (250, 0, 0)).max() < 10


def test_a_page_without_faces_says_so() -> None:
    assert "0 faces in 3 photographs" in contact_sheet([], 3)
