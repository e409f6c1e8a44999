# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that come from a file: read, decomposed, and given with the right images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.training import IMAGES, SHORT, WARM, SmallTrainer, checkpoints

from ffgan.dataset import Dataset
from ffgan.errors import DatasetError, UsageError
from ffgan.training import code_file, dry_run, train
from ffgan.training.run_folder import RunFolder, read
from ffgan.training.warm_start import CODE_SIZE, PrincipalComponents

LENGTH = 120
NAMES = np.array(["a.jpg", "b/c.jpg", "d.jpg"])
VECTORS = np.arange(3 * LENGTH, dtype=np.float64).reshape(3, LENGTH)


def saved(path: Path, **arrays: NDArray[Any]) -> str:
    np.savez(path, **arrays)
    return str(path)


# --- The file ---


def test_vectors_come_in_the_order_of_the_images(tmp_path: Path) -> None:
    path = saved(tmp_path / "codes.npz", names=NAMES, codes=VECTORS)
    found = code_file.read(path, [b"d.jpg", b"a.jpg"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, VECTORS[[2, 0]])


def test_names_that_are_no_utf8_are_found(tmp_path: Path) -> None:
    names = np.array([b"\xff.jpg".decode(errors="surrogateescape")])
    path = saved(tmp_path / "codes.npz", names=names, codes=VECTORS[:1])
    np.testing.assert_array_equal(code_file.read(path, [b"\xff.jpg"]), VECTORS[:1])


def test_images_without_a_code_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "codes.npz", names=NAMES, codes=VECTORS)
    with pytest.raises(DatasetError, match=r"codes.npz lacks 2 of 3 images, such as e\\xff.jpg: "):
        code_file.read(path, [b"a.jpg", b"e\xff.jpg", b"f.jpg"])


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"names": NAMES}, "codes is not a file in the archive"),
        ({"names": NAMES, "codes": VECTORS[:2]}, r"codes float64 \(2, 120\)"),
        ({"names": NAMES, "codes": VECTORS[:, :99]}, r"codes float64 \(3, 99\)"),
        ({"names": NAMES, "codes": VECTORS[:, :, None]}, r"codes float64 \(3, 120, 1\)"),
        ({"names": NAMES, "codes": VECTORS.astype(str)}, "codes <U"),
        ({"names": np.arange(3), "codes": VECTORS}, r"names are int64 \(3,\)"),
        ({"names": NAMES[[0, 0, 1]], "codes": VECTORS}, "has a name twice"),
        ({"names": NAMES, "codes": np.full_like(VECTORS, np.nan)}, "are not finite"),
        ({"names": NAMES, "codes": VECTORS * 1e99}, "are not finite"),
        ({"names": NAMES.astype(object), "codes": VECTORS}, "Object arrays cannot be loaded"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    path = saved(tmp_path / "codes.npz", **arrays)
    with pytest.raises(UsageError, match=what):
        code_file.read(path, [b"a.jpg"])


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    with pytest.raises(UsageError, match=r"cannot read --codes .*codes.npz: No such file"):
        code_file.read(str(path), [b"a.jpg"])
    with pytest.raises(UsageError, match=r"cannot read --codes .*: Is a directory"):
        code_file.read(str(tmp_path), [b"a.jpg"])
    path.write_text("a table?")
    form = r"codes.npz is not an .npz file of names \(n,\) and .*: it is no zip archive$"
    with pytest.raises(UsageError, match=form):
        code_file.read(str(path), [b"a.jpg"])
    saved(path, names=NAMES, codes=VECTORS)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UsageError, match=r"codes.npz is not an .npz file of"):
        code_file.read(str(path), [b"a.jpg"])
    with open(path, "wb") as file:
        np.save(file, VECTORS)
    with pytest.raises(UsageError, match=form):
        code_file.read(str(path), [b"a.jpg"])


# --- The codes ---


def test_codes_are_white_and_hold_the_largest_variance() -> None:
    draw = np.random.default_rng(3)
    mixed = draw.standard_normal((2000, LENGTH)) @ np.diag(0.97 ** np.arange(LENGTH)) + 5
    vectors = mixed.astype(np.float32)
    found = code_file.principal_components(vectors)
    codes = found.whiten(vectors).astype(np.float64)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(codes.T @ codes / 2000, np.eye(CODE_SIZE), atol=1e-3)
    singular = np.linalg.svd(mixed - mixed.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(found.deviation, singular[:CODE_SIZE] / 2000**0.5, rtol=1e-4)
    share = np.square(singular[:CODE_SIZE]).sum() / np.square(singular).sum()
    assert found.explained == pytest.approx(share, rel=1e-5)


def test_a_hundred_numbers_are_codes_as_they_are() -> None:
    vectors = 3 * np.random.default_rng(4).standard_normal((5, CODE_SIZE)).astype(np.float32)
    found = code_file.principal_components(vectors)
    np.testing.assert_array_equal(found.whiten(vectors), vectors)
    assert found.explained == 1


def test_vectors_that_vary_too_little_are_refused() -> None:
    flat = np.random.default_rng(0).standard_normal((300, LENGTH)).astype(np.float32)
    flat[:, 99:] = 1
    with pytest.raises(DatasetError, match="vary in fewer than 100 directions"):
        code_file.principal_components(flat)


# --- In a run ---


@pytest.fixture
def vectors(faces: Path, tmp_path: Path) -> dict[str, NDArray[np.float32]]:
    """Of each image of the folder, by its name; also in the file codes.npz."""
    names = sorted(path.name for path in faces.iterdir())
    draw = np.random.default_rng(8)
    found = {name: draw.standard_normal(LENGTH).astype(np.float32) for name in names}
    saved(
        tmp_path / "codes.npz",
        names=np.array([*found, "other.jpg"]),
        codes=np.stack([*found.values(), np.zeros(LENGTH, np.float32)]),
    )
    return found


Code = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@pytest.fixture
def code_of(
    faces: Path, vectors: dict[str, NDArray[np.float32]]
) -> Callable[[PrincipalComponents], Code]:
    """How an image's code is found, by its pixels: none is mirrored."""
    with Dataset(faces) as dataset:
        names = [name.decode() for name in dataset.names]
        known = {dataset.image(i).tobytes(): vectors[name] for i, name in enumerate(names)}

    def with_components(components: PrincipalComponents) -> Code:
        return lambda image: components.whiten(known[image.tobytes()][None])[0]

    return with_components


def components_of(run: str) -> PrincipalComponents:
    tensors = read(RunFolder(f"runs/{run}").paths()[-1]).tensors
    found = {k[len("code_file.") :]: v for k, v in tensors.items() if k.startswith("code_file.")}
    assert not any(name.startswith("principal_components.") for name in tensors)
    return PrincipalComponents.from_tensors(found, LENGTH)


def test_each_image_is_learnt_from_its_code_and_never_mirrored(
    small: type[SmallTrainer], faces: Path, code_of: Callable[[PrincipalComponents], Code]
) -> None:
    train(faces, **WARM, codes="codes.npz")
    code = code_of(components_of("faces"))
    for call in small.calls:
        learnt = 4 if call["kind"] == "reconstruct" else call["anchored"]
        assert learnt in (2, 4)
        expected = np.stack([code(image) for image in call["real"][:learnt]])
        np.testing.assert_array_equal(call["latents"][:learnt], expected)
    mirrored = 0
    with Dataset(faces) as dataset:
        known = {dataset.image(i).tobytes() for i in range(len(dataset))}
    for call in small.calls[5:]:
        mirrored += sum(image.tobytes() not in known for image in call["real"][2:])
    assert 3 <= mirrored <= 13  # of 16 that the discriminator alone sees


def test_it_resumes_with_the_same_bytes(
    small: type[SmallTrainer], faces: Path, vectors: object, caplog: pytest.LogCaptureFixture
) -> None:
    train(faces, **WARM, codes="codes.npz", name="whole")
    assert "the first 100 principal components of the 120 numbers of each image" in caplog.text
    train(faces, **{**WARM, "steps": 3}, codes="codes.npz", name="parts")
    caplog.clear()
    train(faces, steps=8, name="parts")
    assert "principal components" not in caplog.text
    name = "step-00000013.safetensors"
    assert checkpoints("parts")[name] == checkpoints("whole")[name]


def test_identity_codes_give_way(
    small: type[SmallTrainer], faces: Path, vectors: object, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text('recipe = "warm"\nwarm_start = 2\nidentity_codes = 30\n')
    chosen = {**SHORT, "recipe": "own.toml", "init": "scratch", "augment": "none"}
    train(faces, **chosen, codes="codes.npz")
    assert RunFolder("runs/faces").newest()[0].record["settings"]["identity_codes"] == 0
    with pytest.raises(UsageError, match="--codes takes the place of --identity-codes"):
        train(faces, **chosen, codes="codes.npz", identity_codes=30, name="both")


def test_what_cannot_be_is_said_before_a_run(
    small: type[SmallTrainer], faces: Path, vectors: object, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--codes needs --warm-start or --anchor-weight"):
        train(faces, **SHORT, codes="codes.npz")
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(faces.iterdir())[:100]:
        (few / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match=r"100 images are too few .* which needs 101"):
        train(few, **WARM, codes="codes.npz")
    saved(tmp_path / "less.npz", names=NAMES, codes=VECTORS)
    for start in (train, dry_run):
        with pytest.raises(DatasetError, match=f"less.npz lacks {IMAGES} of {IMAGES} images"):
            start(faces, **WARM, codes="less.npz")
    assert not Path("runs").exists()
