# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/match_spreads.py: a latent space stretched so that attributes vary as real ones do."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ffgan.latent import noise
from ffgan.model import Model, by_network, save_model

FACES = 2000


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.stack([noise(seed) for seed in range(FACES)]).astype(np.float64)


@pytest.fixture(scope="module")
def directions() -> np.ndarray:
    """Two directions (2, 100) of length 1, at 60 degrees."""
    first, second = np.linalg.qr(np.random.default_rng(2).standard_normal((100, 2)))[0].T
    return np.stack([first, 0.5 * first + np.sqrt(0.75) * second])


@pytest.fixture
def tables(tmp_path: Path, latents: np.ndarray, directions: np.ndarray) -> tuple[Path, Path]:
    """Of generated faces, yaw and pitch along the directions, and of real ones that vary more."""
    yaw, pitch = 10 * latents @ directions.T[:, 0], 5 * latents @ directions.T[:, 1]
    real = np.random.default_rng(3).standard_normal((FACES, 2))
    real = (real - real.mean(axis=0)) / real.std(axis=0)
    generated = tmp_path / "generated.csv", "seed {}", yaw, pitch
    photographs = tmp_path / "real.csv", "{}.jpg", 12 * real[:, 0], 5 * real[:, 1]
    for path, name, *columns in (generated, photographs):
        with path.open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["image", "gender", "yaw", "pitch"])
            faces = enumerate(zip(*columns, strict=True))
            out.writerows([name.format(k), "female", *row] for k, row in faces)
            out.writerow(["seed 5000", "female", "", 3])  # its yaw could not be measured
    return generated[0], photographs[0]


def test_covariance_has_the_variances_and_is_the_nearest(load_tool, directions) -> None:
    tool = load_tool("match_spreads")
    slopes = directions * [[1.0], [0.7]]
    wanted = np.array([1.5, 0.6])
    found = tool.covariance(slopes, wanted)
    np.testing.assert_allclose(np.diag(slopes @ found @ slopes.T), wanted, rtol=1e-6)

    def divergence(matrix: np.ndarray) -> float:
        return float(0.5 * (np.trace(matrix) - 100 - np.linalg.slogdet(matrix)[1]))

    # Whatever else keeps the variances is further from the identity: changes across the slopes.
    here = divergence(found)
    random = np.random.default_rng(4)
    for _ in range(20):
        change = random.standard_normal((100, 100))
        change = 1e-3 * (change + change.T)
        outer = np.stack([np.outer(a, a).ravel() for a in slopes], axis=1)
        change -= (outer @ np.linalg.lstsq(outer, change.ravel(), rcond=None)[0]).reshape(100, 100)
        np.testing.assert_allclose(np.diag(slopes @ change @ slopes.T), 0, atol=1e-12)
        assert divergence(found + change) > here


def test_latents_are_stretched_along_an_attribute_and_nowhere_else(
    load_tool, latents, directions
) -> None:
    tool = load_tool("match_spreads")
    along = directions[0]
    turned = 10 * (latents @ along)[:, None]
    noisy = turned + np.random.default_rng(5).normal(0, 4, (FACES, 1))
    matrix = tool.stretching(latents, noisy, 1.2 * noisy.std(axis=0))
    # 116 of noise and latents should be 1.44 times as much, of which the noise stays 16.
    expected = np.sqrt((1.44 * 116 - 16) / 100)
    np.testing.assert_allclose(along @ matrix @ along, expected, rtol=0.03)
    across = np.eye(100) - np.outer(along, along)
    assert np.abs(across @ (matrix - np.eye(100)) @ across).max() < 0.01
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_model_draws_the_faces_of_the_stretched_latents(
    load_tool, run_tool, tables, tmp_path, latents
) -> None:
    old = Model.load()
    path = tmp_path / "old.safetensors"
    networks = by_network(old.parameters)
    named = json.dumps([{"index": 0, "low": "dark", "high": "light"}])
    save_model(
        path,
        networks["generator"],
        networks["discriminator"],
        {**old.metadata, "directions": named},
    )
    out = tmp_path / "new.safetensors"
    done = run_tool(
        "match_spreads", path, *tables, "--of", "yaw", "--of", "pitch=1.1", "--out", out
    )
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[0] for row in rows[1:3]] == ["yaw", "pitch"]
    assert [float(row[1]) for row in rows[1:3]] == [12, 5]
    assert [float(row[3]) for row in rows[1:3]] == [12, 5.5]

    tool = load_tool("match_spreads")
    images, drawn = tool.measured(tables[0], ["yaw", "pitch"])
    assert len(images) == FACES, "the face without a yaw is left out"
    matrix = tool.stretching(latents, drawn, np.array([12, 5.5]))
    moved = latents[:8] @ matrix.T
    slopes = np.linalg.lstsq(latents, drawn, rcond=None)[0]
    np.testing.assert_allclose((latents @ matrix.T @ slopes).std(axis=0), [12, 5.5], rtol=0.05)
    new = Model.load(out)
    faces = new.render(latents[:8].astype(np.float32)).astype(int)
    expected = old.render(moved.astype(np.float32)).astype(int)
    assert np.abs(faces - expected).max() <= 1
    assert np.abs(faces - old.render(latents[:8].astype(np.float32))).max() > 20
    first = new.directions()[0]
    assert {first.low, first.high} == {"dark", "light"}
    back = np.linalg.solve(matrix, old.directions()[0].vector)
    assert (back @ first.vector > 0) == (first.high == "light")
    assert "attributes" not in new.metadata, "what was fitted to other latents is no longer right"
    assert json.loads(new.metadata["matched_spreads"]) == {"yaw": 1, "pitch": 1.1}


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ("beauty", "give an attribute that is a number"),
        ("gender", "give an attribute that is a number"),
        ("yaw=wide", "give a factor up to 2"),
        ("yaw=3", "give a factor up to 2"),
        ("yaw=nan", "give a factor up to 2"),
        ("age", "has no column age"),
        ("yaw=0.001", "varies more than is asked"),
    ],
)
def test_what_cannot_be_asked_is_told(run_tool, tables, tmp_path, of, says) -> None:
    from ffgan.model import packaged_model

    out = tmp_path / "new.safetensors"
    done = run_tool("match_spreads", packaged_model(), *tables, "--of", of, "--out", out)
    assert done.code == 1
    assert says in done.error
    assert done.error.count("\n") == 1
    assert not out.exists()


def test_table_of_images_is_not_one_of_seeds(run_tool, tables, tmp_path) -> None:
    from ffgan.model import packaged_model

    real = tables[1]
    out = tmp_path / "new.safetensors"
    done = run_tool("match_spreads", packaged_model(), real, real, "--of", "yaw", "--out", out)
    assert (done.code, "not a table of ffgan attributes --model" in done.error) == (1, True)


def test_what_is_no_table_is_told(run_tool, tables, tmp_path) -> None:
    from ffgan.model import packaged_model

    picture = tmp_path / "picture.csv"
    picture.write_bytes(bytes(range(128, 256)))
    for path, says in ((picture, "is not a CSV file"), (tmp_path / "none.csv", "cannot read")):
        done = run_tool(
            *("match_spreads", packaged_model(), path, tables[1], "--of", "yaw"),
            *("--out", tmp_path / "new.safetensors"),
        )
        assert (done.code, says in done.error, done.error.count("\n")) == (1, True, 1)


def test_attributes_that_are_the_same_cannot_differ(load_tool, directions) -> None:
    from ffgan.errors import UsageError

    tool = load_tool("match_spreads")
    slopes = np.stack([directions[0], directions[0]])
    with pytest.raises(UsageError, match="too much alike"):
        tool.covariance(slopes, np.array([1.5, 1.2]))
