# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/compose_faces.py: a list of training images with the shares that were asked for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

SHARES = {
    "together": ["age=20", "gender"],
    "age=20": {"below 20": 0.25, "20 and more": 0.75},
    "gender": {"female": 0.5, "male": 0.5},
    "yaw=0": {"below 0": 0.5, "0 and more": 0.5},
}
COLUMNS = ["image", "age", "male", "yaw", "sharpness"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """2,000 faces, of which a tenth is below 20 and a third of the others female."""
    random = np.random.default_rng(1)
    path = tmp_path / "faces.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for k in range(2000):
            age = 10 if k % 10 == 0 else 40
            male = random.random() < (0.5 if age == 10 else 0.67)
            out.writerow([f"{k:06d}.jpg", age, float(male), random.normal(), 3])
        out.writerow(["two.jpg", 40, 0.0, 1, 3])
        out.writerow(["two.jpg", 40, 0.0, 1, 3])
        out.writerow(["blurred.jpg", 10, 0.0, 1, 1])
        out.writerow(["unknown.jpg", 10, 0.0, "", 3])
    (tmp_path / "shares.json").write_text(json.dumps(SHARES))
    return path


def composed(run_tool, table: Path, count: int) -> tuple[str, list[dict[str, str]]]:
    out = table.parent / "list.txt"
    done = run_tool(
        *("compose_faces", table, "--folder", table.parent, "--sharpness", 2, "--out", out),
        *("--shares", table.parent / "shares.json", "--count", count),
    )
    assert done.code == 0, done.error
    with table.open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    paths = [Path(line) for line in out.read_text().splitlines()]
    assert len(set(paths)) == len(paths) and {path.parent for path in paths} == {table.parent}
    return done.out, [rows[path.name] for path in paths]


def test_the_shares_are_those_that_were_asked_for(run_tool, table: Path) -> None:
    printed, rows = composed(run_tool, table, 600)
    assert len(rows) == 600
    young = [row for row in rows if row["age"] == "10"]
    for some, expected in ((rows, 300), (young, 75)):
        assert sum(row["male"] == "1.0" for row in some) == pytest.approx(expected, abs=25)
    assert len(young) == pytest.approx(150, abs=25)
    assert sum(float(row["yaw"]) < 0 for row in rows) == pytest.approx(300, abs=35)
    assert not {"two.jpg", "blurred.jpg", "unknown.jpg"} & {row["image"] for row in rows}
    assert "below 20, female" in printed and "12.5%" in printed
    assert composed(run_tool, table, 600) == (printed, rows)


def test_what_the_images_cannot_fill_is_missed_and_said(run_tool, table: Path) -> None:
    printed, rows = composed(run_tool, table, 1200)
    young = sum(row["age"] == "10" for row in rows)
    assert 190 <= young <= 200  # all there are: 300 were asked for
    [line] = [line for line in printed.splitlines() if line.startswith("below 20, male")]
    asked, reached = (float(line.split()[k].rstrip("%")) for k in (-3, -1))
    assert asked == 12.5 and reached < 10


def test_weights_fill_the_shares_and_leave_nothing_out(run_tool, table: Path) -> None:
    with table.open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    folder = table.parent / "images"
    folder.mkdir()
    for name in (*rows, "no-face.jpg"):
        (folder / name).write_bytes(b"\xff\xd8\xff")
    chosen = ("compose_faces", table, "--folder", folder, "--sharpness", 2)
    shares = ("--shares", table.parent / "shares.json", "--weights", table.parent / "weights.csv")
    done = run_tool(*chosen, *shares, "--most", 3.5)
    assert done.code == 0, done.error
    with (table.parent / "weights.csv").open(newline="") as file:
        weights = {row["image"]: float(row["weight"]) for row in csv.DictReader(file)}
    assert weights.keys() == rows.keys() | {"no-face.jpg"}
    for unknown in ("two.jpg", "blurred.jpg", "unknown.jpg", "no-face.jpg"):
        assert weights.pop(unknown) == 1
    total = sum(weights.values())
    assert total == pytest.approx(2000, abs=1) and max(weights.values()) <= 3.5
    young = sum(weight for name, weight in weights.items() if rows[name]["age"] == "10")
    assert young / total == pytest.approx(0.25, abs=0.01)
    left = sum(weight for name, weight in weights.items() if float(rows[name]["yaw"]) < 0)
    assert left / total == pytest.approx(0.5, abs=0.01)
    assert "2004 images, 2000 of them by their attributes" in done.out
    squares = sum(weight**2 for weight in weights.values())
    equal = float(done.out.split("they count as ")[1].split()[0])
    assert equal == pytest.approx(total**2 / squares, rel=0.001) and 1000 < equal < 1900
    done = run_tool(*chosen, *shares, "--most", 1.5)  # of the 200, at most 15 % can be filled
    [line] = [line for line in done.out.splitlines() if line.startswith("below 20, male")]
    assert float(line.split()[-1].rstrip("%")) < 9


def test_shares_that_cannot_be_filled_leave_no_image_out(run_tool, table: Path) -> None:
    folder = table.parent / "images"
    folder.mkdir()
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            (folder / row["image"]).write_bytes(b"\xff\xd8\xff")
    asked = {"age=20": {"below 20": 0.9, "20 and more": 0.1}}
    (table.parent / "shares.json").write_text(json.dumps(asked))
    out = table.parent / "weights.csv"

    def weights(*options: object) -> list[float]:
        done = run_tool(
            *("compose_faces", table, "--folder", folder, "--weights", out),
            *("--shares", table.parent / "shares.json", *options),
        )
        assert done.code == 0, done.error
        with out.open(newline="") as file:
            return [float(row["weight"]) for row in csv.DictReader(file)]

    found = weights()
    assert (min(found), max(found)) == (0.25, 4)
    assert min(weights("--least", 0.6)) == 0.6
    assert min(weights("--least", 0)) < 0.2
    done = run_tool(
        *("compose_faces", table, "--folder", folder, "--weights", out, "--least", 2),
        *("--shares", table.parent / "shares.json"),
    )
    assert (done.code, done.error) == (1, "--least is from 0 to 1, and --most from 1 on\n")


def test_missing_shares_double_what_is_drawn_half_as_often(run_tool, tmp_path: Path) -> None:
    for name, young, none in (("real", 200, 0), ("drawn", 100, 0), ("never", 0, 5)):
        rows = ["10,0"] * young + ["40,1"] * (1000 - young) + [",1"] * none
        (tmp_path / f"{name}.csv").write_text("\n".join(["age,male", *rows, ""]))
    tables = [tmp_path / f"{name}.csv" for name in ("real", "drawn", "never")]
    out = tmp_path / "shares.json"
    by = ("--by", "age=20", "--by", "gender", "--out", out)

    def asked(generated: Path, *options: object) -> dict[str, float]:
        done = run_tool("missing_shares", tables[0], generated, *by, *options)
        assert done.code == 0, done.error
        found = json.loads(out.read_text())
        assert found.keys() == {"age=20", "gender"}
        assert sum(found["gender"].values()) == pytest.approx(1)
        return found["age=20"]

    expected = 0.2 * 2 / (0.2 * 2 + 0.8 * 8 / 9)
    assert asked(tables[1])["below 20"] == pytest.approx(expected, abs=0.003)
    assert asked(tables[1], "--strength", 0)["below 20"] == pytest.approx(0.2, abs=0.001)
    assert asked(tables[2])["below 20"] == pytest.approx(0.6 / (0.6 + 0.64), abs=0.003)
    assert asked(tables[2], "--most", 2)["below 20"] == pytest.approx(0.4 / (0.4 + 0.64), abs=0.003)
    done = run_tool("missing_shares", *tables[:2], "--by", "height", "--out", out)
    assert done.code == 1 and "height" in done.error and "Traceback" not in done.error
    done = run_tool("missing_shares", *tables[:2], "--by", "yaw=0", "--out", out)
    assert done.code == 1 and "real.csv has no column yaw" in done.error
    done = run_tool("missing_shares", tmp_path / "none.csv", tables[1], *by)
    assert done.code == 1 and "none.csv: No such file" in done.error


def test_shares_that_are_wrong_are_told(run_tool, table: Path) -> None:
    for shares, error in (
        ({"age=20": {"below 20": 1}}, "age=20 has the groups below 20, 20 and more: give a"),
        ({"gender": {"female": 0.5, "male": 0.4}}, "the shares of gender do not add up to 1"),
    ):
        (table.parent / "wrong.json").write_text(json.dumps(shares))
        done = run_tool(
            *("compose_faces", table, "--folder", table.parent, "--out", table.parent / "x"),
            *("--shares", table.parent / "wrong.json", "--count", 10),
        )
        assert done.code == 1 and error in done.error


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("faces.csv", None, "cannot read"),
        ("faces.csv", "picture,age\nx.jpg,4\n", "faces.csv has no column image"),
        ("faces.csv", "image,sharpness\nx.jpg,3\n", "the table has no column age"),
        ("faces.csv", "image,age,sharpness\nx.jpg,old,3\n", "'old' is no age"),
        ("shares.json", None, "No such file"),
        ("shares.json", "age: 20", "the shares are not JSON"),
        ("shares.json", "[1]", "the shares are no JSON object"),
        ("shares.json", '{"age=20": 0.5}', "age=20 has the groups below 20, 20 and more"),
    ],
)
def test_files_that_are_wrong_get_one_line(
    run_tool, table: Path, name: str, text: str | None, says: str
) -> None:
    (table.parent / "shares.json").write_text(
        json.dumps({"age=20": {"below 20": 0.25, "20 and more": 0.75}})
    )
    (table.parent / name).unlink()
    if text is not None:
        (table.parent / name).write_text(text)
    done = run_tool(
        *("compose_faces", table, "--folder", table.parent, "--out", table.parent / "x"),
        *("--shares", table.parent / "shares.json", "--count", 10),
    )
    assert done.code == 1 and says in done.error and done.error.count("\n") == 1
