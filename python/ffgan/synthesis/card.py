# SPDX-License-Identifier: GPL-3.0-or-later
"""The data card of a set: README.md, with the lines at its head that Hugging Face's hub reads."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from ffgan import __version__
from ffgan.attributes import ATTRIBUTES
from ffgan.model import Model, packaged_model
from ffgan.synthesis.folder import made_with
from ffgan.synthesis.labels import LATENT, columns, latent_type
from ffgan.synthesis.records import Summary, edges
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import shards, splits
from ffgan.synthesis.writers import writer
from ffgan.wording import counted

_REASONS: Final[Mapping[str, str]] = {
    "unreached": "could not be steered to what was asked",
    "unlike": "did not meet the condition",
    "surplus": "were of a cell that had enough, or of none",
    "near": "were too near to earlier people, or not as asked",
}

_MEANINGS: Final[Mapping[str, str]] = {
    "index": "number of the picture in the set, from 0",
    "seed": "`ffgan gen 1 --seed SEED` draws the face it began with",
    "tries": "draws of the candidate search, or attempts for a picture of a person",
    "score": "the discriminator's logit",
    "identity": "number of the person, from 0",
    "image_index": "number among the pictures of that person, from 0",
}

_BAR: Final = 40
"""Letters of the longest bar."""

_PACKAGED_LICENCE: Final = (
    "The pictures are made by the model that comes with ffgan, under [CC BY-NC-SA 4.0]"
    "(https://creativecommons.org/licenses/by-nc-sa/4.0/), since its training data derives from "
    "non-commercial sources; so is this set."
)
_OTHER_LICENCE: Final = (
    "The pictures are made by a model of somebody's own training: whoever trained it knows what "
    "its training images allow."
)

_LIMITS: Final = """\
- The faces are of nobody, but a model may have copied parts of its training images: `ffgan audit`
  tests that.
- A set has the over- and under-representations of its model, also where it is balanced: what is
  balanced is what was measured, and within a cell the rest is as the model has it.
- Labels are measurements by networks and landmarks on the picture, not truth: ages are off by some
  years, and gender is what a network of two classes says of a face.
- Identities are made, and told apart by one recognition network: a classifier or a recogniser that
  does well here has not been shown to do so on photographs of people.
- Faces are small, 162 pixels before any resizing, and often flawed in glasses, ears and edges."""


def card(
    model: Model,
    settings: Settings,
    summary: Summary,
    steered: frozenset[int],
    command: str | None,
) -> str:
    """Return the text of a whole set."""
    packaged = _is_packaged(model)
    parts = [
        _front_matter(settings, packaged),
        f"# {counted(settings.count, 'face')} by ffgan\n",
        f"Pictures of people who do not exist, {settings.size}x{settings.size} pixels, with "
        f"labels. Load them with\n\n    {_loading(settings)}\n",
        _counts(settings, summary),
        _labels(settings),
        _composition(settings, summary, steered),
        _histograms(summary),
        _making(model, settings, command),
        f"## Limits\n\n{_LIMITS}\n",
        f"## Licence\n\n{_PACKAGED_LICENCE if packaged else _OTHER_LICENCE}\n",
        "## Whether it is whole\n\n`sha256sum -c SHA256SUMS` reads all files. The same command "
        "with the same version of ffgan\nand of the libraries above makes the same bytes; `.ffgan` "
        "holds what it needs to go on after a stop.\n",
    ]
    return "\n".join(part for part in parts if part)


def rejected(draws: Mapping[str, int]) -> dict[str, int]:
    """The faces that were drawn and not taken, by the reason's name."""
    return {name: draws[name] for name in _REASONS if draws.get(name)}


def cells_reached(settings: Settings, summary: Summary) -> Iterator[tuple[str, float, int]]:
    """Yield each cell's title, the share asked for, and the pictures in it."""
    cells = settings.cells
    if cells is not None:
        for cell, share in enumerate(cells.shares):
            yield cells.title(cell), share, summary.cells[str(cell)]


def _is_packaged(model: Model) -> bool:
    path = model.path
    packaged = {packaged_model("program"), packaged_model("table")}
    return path is not None and path.resolve() in {one.resolve() for one in packaged}


def _front_matter(settings: Settings, packaged: bool) -> str:
    lines = ["---"]
    if packaged:
        lines.append("license: cc-by-nc-sa-4.0")
    lines += ["tags:", "- synthetic", "- faces", f"pretty_name: {settings.count} synthetic faces"]
    patterns = {
        split: writer(settings.format).data_files(settings, split)
        for split, pictures in splits(settings).items()
        if len(pictures)
    }
    if any(patterns.values()):
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split, some in patterns.items():
            for pattern in some:
                lines += [f"  - split: {split}", f"    path: {pattern}"]
    return "\n".join([*lines, "---", ""])


def _loading(settings: Settings) -> str:
    shards_of = Counter(shard.split for shard in shards(settings))
    split, count = next(iter(shards_of.items()))
    return writer(settings.format).loading(split, count)


def _counts(settings: Settings, summary: Summary) -> str:
    rows = ["| split | pictures | people | shards |", "| --- | ---: | ---: | ---: |"]
    shards_of = Counter(shard.split for shard in shards(settings))
    for split, pictures in splits(settings).items():
        people = len(pictures) // settings.images_each
        rows.append(f"| {split} | {len(pictures):,} | {people:,} | {shards_of[split]:,} |")
    text = "\n".join(rows)
    drawn = summary.draws["draws"]
    told = f"{counted(summary.files, 'file')}, {summary.size:,} bytes. "
    told += f"{counted(drawn, 'face was', 'faces were')} drawn"
    reasons = rejected(summary.draws)
    told += "" if reasons else ", and all were taken"
    lines = [f"- {count:,} {_REASONS[name]}" for name, count in reasons.items()]
    if lines:
        told += f"; {sum(reasons.values()):,} of them were not taken:\n\n" + "\n".join(lines)
    else:
        told += "."
    if not settings.has_people:
        told += "\n\nEach face counts as a person; how alike two of them are was not looked at."
    else:
        told += (
            f"\n\nThe faces of two people are at least {settings.min_distance:g} apart by dlib's "
            "recognition network, and other\npictures of two people 0.05 less; nearer than 0.6 is "
            "mostly one person."
        )
    return f"## Counts\n\n{text}\n\n{told}\n"


def _labels(settings: Settings) -> str:
    rows = ["| label | type | meaning |", "| --- | --- | --- |"]
    for one in columns(settings):
        rows.append(f"| `{one.name}` | {one.kind} | {_meaning(one.name)} |")
    if (kind := latent_type(settings)) is not None:
        rows.append(f"| `{LATENT}` | 100 {kind} | what the generator was given |")
    return "## Labels\n\n" + "\n".join(rows) + "\n\nWhat could not be measured is null or NaN.\n"


def _meaning(name: str) -> str:
    if name in _MEANINGS:
        return _MEANINGS[name]
    one = ATTRIBUTES.get(name)
    if one is None:
        return "the number behind the word: the probability of male" if name == "male" else ""
    return one.help + (f", in {one.unit}" if one.unit else "")


def _composition(settings: Settings, summary: Summary, steered: frozenset[int]) -> str:
    parts = []
    if settings.wanted:
        each = ", ".join(f"`{name}={text}`" for name, text in settings.wanted.text().items())
        parts.append(f"All faces were steered to {each}.")
    if settings.where is not None:
        parts.append(f"All faces meet `{settings.where.text}`; others were not taken.")
    cells = settings.cells
    if cells is not None:
        source = "alike in number" if cells.of == "balance" else "as in a given table"
        parts.append(
            f"The cells of {', '.join(f'`{text}`' for text in cells.text)} are {source}. Faces "
            "were found by drawing until there were enough, or, where it says so, by steering."
        )
        rows = [
            "| cell | asked | reached | pictures | found by |",
            "| --- | ---: | ---: | ---: | --- |",
        ]
        for cell, (title, share, count) in enumerate(cells_reached(settings, summary)):
            how = "steering" if cell in steered else "drawing"
            part = count / settings.count
            rows.append(f"| {title} | {share:.2%} | {part:.2%} | {count:,} | {how} |")
        parts.append("\n".join(rows))
    return "## Composition\n\n" + "\n\n".join(parts) + "\n" if parts else ""


def _histograms(summary: Summary) -> str:
    blocks = []
    for name, counts in summary.histograms.counts.items():
        one = ATTRIBUTES[name]
        if one.kind == "choice":
            titles = [*one.choices, "unknown"]
        else:
            ends = [f"{end:.4g}" for end in np.asarray(edges(name))]
            inner = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
            titles = [f"below {ends[0]}", *inner, f"{ends[-1]} and more", "unknown"]
        unit = f" ({one.unit})" if one.unit else ""
        blocks.append(f"{one.title}{unit}\n" + "\n".join(_bars(titles, counts)))
    if not blocks:
        return ""
    text = "\n\n".join(blocks)
    return f"## Histograms\n\nPictures by what was measured.\n\n```\n{text}\n```\n"


def _bars(titles: list[str], counts: list[int]) -> Iterator[str]:
    largest, width = max(counts), max(map(len, titles))
    for title, count in zip(titles, counts, strict=True):
        if count:
            bar = "#" * max(1, round(_BAR * count / largest))
            yield f"  {title:>{width}}  {count:>9,}  {bar}"


def _making(model: Model, settings: Settings, command: str | None) -> str:
    versions = {"ffgan": __version__, **made_with(settings)}
    lines = [] if command is None else [f"    {command}\n"]
    lines += [
        f"- model: SHA-256 `{model.hash}`, computed in {model.precision}",
        *(f"- {name}: {version}" for name, version in versions.items()),
        *(f"- {name}: {value}" for name, value in settings.described().items() if _told(value)),
    ]
    return "## How it was made\n\n" + "\n".join(lines) + "\n"


def _told(value: object) -> bool:
    return value not in (None, "", [], {}) and not isinstance(value, (list, dict))
