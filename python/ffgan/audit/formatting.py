# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of an audit as a table of text; the page shows the same rows."""

from __future__ import annotations

from typing import Any

from ffgan.audit.nearest_neighbours import SPACES
from ffgan.audit.verdict import p_value


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures of one space for people: a label, the samples', the real images'."""
    distances, below, alone = found["distances"], found["below_threshold"], found["one_alone"]
    lines = []
    if (nearest := found.get("training_is_nearest")) is not None:
        independent = {"p": nearest["p_if_independent"]}
        lines += [
            ("a training image is the nearest real one", f"{nearest['samples']:.1%}", ""),
            ("  expected by chance", f"{nearest['expected']:.1%}", ""),
            ("  p value", p_value(nearest), ""),
            ("  p value, if faces were independent", p_value(independent), ""),
        ]
    lines += [
        (
            f"close to one training image alone (share below {alone['threshold']:.3f})",
            f"{alone['samples']:.1%}",
            f"{alone['real']:.1%}",
        ),
        ("  p value", p_value(alone), ""),
        (
            "distance to the nearest training image, median",
            f"{distances['samples']['median']:.4f}",
            f"{distances['real']['median']:.4f}",
        ),
        (
            f"  share below {below['threshold']:.4f}",
            f"{below['samples']:.1%}",
            f"{below['real']:.1%}",
        ),
        ("  smaller than the real ones': z (Mann-Whitney)", f"{found['nearer']['z']:.1f}", ""),
    ]
    if (control := found.get("nearer_to_held_out")) is not None:
        lines.append(("  the same to held-out images, for comparison", f"{control['z']:.1f}", ""))
    return lines


def table(figures: dict[str, Any]) -> str:
    """Return what `audit` found as lines of text for people."""
    samples, train, held_out = figures["samples"], figures["train"], figures["held_out"]
    last = samples["first_seed"] + samples["count"] - 1
    which = "first draws" if not samples["candidates"] else "candidates taken"
    mirrored = ", and mirrored" if train["mirrored"] else ""
    lines = [
        f"samples   {samples['count']} {which} of seeds {samples['first_seed']} to {last}, "
        f"model {samples['model_hash'][:12]}, {samples['precision']}",
        f"training  {train['count']} images in {train['directory']}{mirrored} "
        f"({train['fit']}, {train['broken']} broken)",
    ]
    if held_out is None:
        real = "training"
        lines.append(
            f"beside    {figures['real_count']} of the training images, each without itself"
        )
    else:
        real = "held out"
        lines.append(
            f"held out  {held_out['count']} of {held_out['images']} images in "
            f"{held_out['directory']} ({held_out['broken']} broken)"
        )
        if held_out["in_training"]:
            lines.append(
                f"warning: {held_out['in_training']} of the held-out images are training images, "
                "which hides copying"
            )
    for space in SPACES:
        shown = [
            (f"{space}: {figures['measured_with'][space]}", "", ""),
            ("", "samples", real),
            *rows(figures["spaces"][space]),
        ]
        widths = [max(len(row[column]) for row in shown[1:]) for column in range(3)]
        lines += [""] + [
            f"{label:<{widths[0]}}  {a:>{widths[1]}}  {b:>{widths[2]}}".rstrip()
            for label, a, b in shown
        ]
    return "\n".join([*lines, "", figures["verdict"]["text"]])
