# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook of MkDocs: takes README.md and the other pages outside of docs/ into the site.

A link between two pages is written as a path in the repository, so it works where the repository is
read. Here it becomes the path in the site; a link to a file that is no page becomes its text.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Where a page stands in the repository, and its path in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "weights/README.md": "model-card.md",
    "weights/TRAINING.md": "model-training.md",
}
IN_REPOSITORY = {site: path for path, site in OUTSIDE.items()}

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def titles(nav: Any) -> dict[str, str]:
    """The title of each page in mkdocs.yml's nav, by the page's path."""
    found: dict[str, str] = {}
    for entry in nav:
        for title, below in entry.items():
            found.update({below: title} if isinstance(below, str) else titles(below))
    return found


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that stand outside of docs/."""
    root = posixpath.dirname(config.config_file_path)
    for path, site in OUTSIDE.items():
        files.append(File.generated(config, site, abs_src_path=posixpath.join(root, path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns paths in the repository into paths in the site."""
    here = page.file.src_uri
    source = IN_REPOSITORY.get(here, f"docs/{here}")

    def rewritten(match: re.Match[str]) -> str:
        text, target = match["text"], match["target"]
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return match[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        site = OUTSIDE.get(inside, inside.removeprefix("docs/"))
        if site == inside and not inside.startswith("docs/"):
            return text  # such as LICENSE or a source file
        relative = posixpath.relpath(site, posixpath.dirname(here) or ".")
        if text.endswith(".md"):
            text = titles(config.nav).get(site, text)  # a reader of the site knows no file names
        mark = "!" if match[0].startswith("!") else ""
        return f"{mark}[{text}]({relative}{'#' + anchor if anchor else ''})"

    return LINK.sub(rewritten, IMAGE.sub(rewritten, markdown))
