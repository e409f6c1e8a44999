# SPDX-License-Identifier: GPL-3.0-or-later
"""What images come from: folders, archives, tables, databases, lists of paths."""

from ffgan.dataset.sources.opening import holds_images, open_source
from ffgan.dataset.sources.source import MAX_FILE_BYTES, Member, Source

__all__ = ["MAX_FILE_BYTES", "Member", "Source", "holds_images", "open_source"]
