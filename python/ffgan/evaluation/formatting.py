# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of an evaluation as a table of text."""

from __future__ import annotations

from typing import Any

from ffgan import faces


def table(result: dict[str, Any]) -> str:
    """Return what `evaluate` found as lines of text for people."""
    samples, real, how = result["samples"], result["real"], result["measured_with"]
    last = samples["first_seed"] + samples["count"] - 1
    discriminator, wasserstein = result["discriminator"], result["sliced_wasserstein"]
    kernel, identities = result["kernel_distance"], result["identities"]
    which = "first draws" if not samples["candidates"] else "candidates taken"
    lines = [
        f"samples     {samples['count']} {which} of seeds {samples['first_seed']} to {last}, "
        f"model {samples['model_hash'][:12]}, {samples['precision']}",
        f"real        {real['count']} of {real['images']} images in {real['directory']} "
        f"({real['fit']}, {real['broken']} broken)",
        f"features    {how['network']}",
        f"identities  {how['identities']}",
        "",
    ]
    rows: list[tuple[str, str, str]] = [
        ("", "samples", "real"),
        ("Frechet distance", f"{result['frechet_distance']:.2f}", ""),
        ("kernel distance (KID) x 1000", f"{1000 * kernel['value']:.2f}", ""),
        ("  its standard error", f"{1000 * kernel['standard_error']:.2f}", ""),
        ("precision", f"{result['precision']:.3f}", ""),
        ("recall", f"{result['recall']:.3f}", ""),
    ]
    for side, distance in wasserstein.items():
        level = side if side == "mean" else f"{side} pixels"
        rows.append((f"sliced Wasserstein x 1000, {level}", f"{distance:.2f}", ""))
    ratio = result["sharpness"]["ratio"]
    rows.append(("sharpness", "-" if ratio is None else f"{ratio:.3f}", "1"))

    for way, by_side in result["borders"]["ratio"].items():
        known = [ratio for places in by_side.values() for ratio in places if ratio is not None]
        least_and_most = f"{min(known):.2f} to {max(known):.2f}" if known else "-"
        rows.append((f"neighbours' differences {way} the borders", least_and_most, "1"))

    def both(label: str, values: dict[str, float], digits: int = 3) -> None:
        rows.append((label, f"{values['samples']:.{digits}f}", f"{values['real']:.{digits}f}"))

    both("share with a face detected", result["faces_found"])
    for label, key in (
        ("distance between two identities, mean", "mean"),
        ("distance between two identities, std. dev.", "deviation"),
        (f"pairs nearer than {faces.SAME_PERSON}", "below"),
    ):
        both(label, {name: identities[name][key] for name in identities})
    for group in result["groups"]["real"]:
        label = "heads turned away" if group == "turned" else f"skin tone {group}"
        both(label, {name: found[group] for name, found in result["groups"].items()})
    both("discriminator's mean score", discriminator["mean_score"], 2)
    both(f"score above {discriminator['threshold']:g}", discriminator["accepted"])
    tries = "mean tries" if samples["candidates"] else "mean tries of a search, estimated"
    rows.append((tries, f"{discriminator['mean_tries']:.2f}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines += [
        f"{label:<{widths[0]}}  {ours:>{widths[1]}}  {theirs:>{widths[2]}}".rstrip()
        for label, ours, theirs in rows
    ]
    if result["cautions"]:
        lines += ["", *(f"caution: {line}" for line in result["cautions"])]
    return "\n".join(lines)
