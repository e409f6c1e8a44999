# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit finds models that copy, and leaves alone those that do not.

The training images are faces of the packaged model, so the model itself draws from their
distribution without having learnt them. In most tests a small network of chance tells faces apart.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.disk import largest_file
from support.instruction_sets import needs_bf16
from support.ranks import run_ranks

import ffgan
from ffgan import cli, evaluation, features, images
from ffgan.audit import Audit, audit, table
from ffgan.audit import page as audit_page
from ffgan.audit.figures import least_share
from ffgan.audit.nearest_neighbours import SPACES
from ffgan.errors import DatasetError, ExtraError, ModelError, UsageError
from ffgan.evaluation import real_set
from ffgan.latent import noise
from ffgan.model import Model, by_network
from ffgan.ranks import Ranks
from ffgan.typing import RGB

TRAINED, HELD_OUT, SAMPLES = 150, 80, 128


@pytest.mark.parametrize(
    ("samples", "real", "share"), [(16, 16, 0.5625), (200, 200, 0.065), (2000, 2000, 0.0225)]
)
def test_the_share_of_copies_that_would_show_falls_with_the_number(samples, real, share) -> None:
    assert least_share(samples, real, 1e-3) == share


def write(folder: Path, pictures: RGB) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture[:, :, ::-1])
    return folder


@pytest.fixture(scope="module")
def known() -> RGB:
    return ffgan.generate(TRAINED, seed=10_000, tries=1)


@pytest.fixture(scope="module")
def trained(known: RGB, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("audit") / "trained", known)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    others = ffgan.generate(HELD_OUT, seed=20_000, tries=1)
    return write(tmp_path_factory.mktemp("audit") / "heldout", others)


@pytest.fixture(scope="module")
def drawn() -> dict[bytes, RGB]:
    """The faces that the packaged model has drawn so far, by their latent."""
    return {}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, drawn: dict[bytes, RGB]) -> None:
    """A network of chance instead of that of faces, and each latent is drawn once."""
    render = Model.render

    def render_once(model: Model, latents: np.ndarray) -> RGB:
        missing = {x.tobytes(): x for x in latents if x.tobytes() not in drawn}
        if missing:
            drawn.update(zip(missing, render(model, np.stack([*missing.values()])), strict=True))
        return np.stack([drawn[x.tobytes()] for x in latents])

    monkeypatch.setattr(Model, "render", render_once)
    directions = np.random.default_rng(0).standard_normal((27 * 27 * 3, 128)).astype(np.float32)

    def extract(batch: RGB) -> np.ndarray:
        small = np.stack([cv2.resize(x, (27, 27), interpolation=cv2.INTER_AREA) for x in batch])
        return small.reshape(len(batch), -1).astype(np.float32) @ directions / 255

    network = features.Network("faces", "chance", extract)
    monkeypatch.setattr(features, "load", lambda name, recognition=None: network)


class Other(Model):
    """The packaged model, with something else done to each face; says that it was saved so."""

    def __init__(self, change: Callable[[RGB, np.ndarray], RGB]) -> None:
        packaged = ffgan.load()
        networks = by_network(packaged.parameters)
        super().__init__(networks["generator"], networks["discriminator"], {})
        self.change = change

    def render(self, latents: np.ndarray) -> RGB:
        return self.change(super().render(latents), latents)


def copier(known: RGB, share: float) -> Other:
    """A model of which so many faces are training images, a little noisy, half of them turned."""

    def change(made: RGB, latents: np.ndarray) -> RGB:
        for place, latent in enumerate(latents):
            random = np.random.default_rng(latent.view(np.uint32).tolist())
            if random.random() < share:
                source = known[random.integers(len(known))]
                source = source[:, ::-1] if random.random() < 0.5 else source
                noisy = source + random.normal(0, 10, source.shape)
                made[place] = np.clip(noisy, 0, 255).astype(np.uint8)
        return made

    return Other(change)


def blurred(known: RGB) -> Other:
    """A model of soft, average faces, as one that has learnt too little; `known` is not copied."""
    mean = known.mean(axis=0)

    def change(made: RGB, latents: np.ndarray) -> RGB:
        soft = [cv2.GaussianBlur(0.5 * x + 0.5 * mean, (0, 0), 2) for x in made]
        return np.stack(soft).astype(np.uint8)

    return Other(change)


@pytest.mark.parametrize("with_held_out", [True, False])
def test_ranks_share_the_images_and_find_what_one_process_finds(
    quick, trained, held_out, with_held_out, tmp_path, monkeypatch
) -> None:
    for module in (evaluation, real_set):
        monkeypatch.setattr(module, "BLOCK", 9)
    copy = shutil.copytree(trained, tmp_path / "trained")
    for path in sorted(copy.iterdir())[:20:3]:
        path.write_bytes(b"no picture")
    others = held_out if with_held_out else None

    def work(ranks: Ranks | None) -> str:
        found = audit(None, copy, others, samples=50, seed=3, ranks=ranks)
        pairs = {space: [pair.described() for pair in found.pairs[space]] for space in SPACES}
        return json.dumps([found.figures, pairs])

    alone = work(None)
    for count in (2, 3):
        assert run_ranks(count, lambda carrier: work(Ranks(carrier))) == [alone] * count


def test_an_honest_model_is_left_alone(quick, trained, held_out) -> None:
    figures = audit(None, trained, held_out, samples=SAMPLES).figures
    assert figures["verdict"]["copies"] is False
    assert figures["verdict"]["text"].startswith("No sign of copying")
    # So few tell of much copying only, and say so.
    few = f"But {SAMPLES} faces beside {HELD_OUT} real images are few: copies that are less than"
    assert few in figures["verdict"]["text"]
    for space in SPACES:
        nearest = figures["spaces"][space]["training_is_nearest"]
        assert nearest["expected"] == pytest.approx(TRAINED / (TRAINED + HELD_OUT))
        assert abs(nearest["samples"] - nearest["expected"]) < 0.15
        assert nearest["p"] > 0.001


def test_a_copier_is_caught(quick, known, trained, held_out) -> None:
    result = audit(copier(known, 1.0), trained, held_out, samples=SAMPLES)
    figures = result.figures
    assert figures["verdict"]["copies"] is True
    assert figures["verdict"]["text"].startswith("It copies: ")
    for space in SPACES:
        found = figures["spaces"][space]
        assert found["training_is_nearest"]["samples"] == 1
        assert found["training_is_nearest"]["copied"] == 1
        assert found["training_is_nearest"]["p"] < 1e-3
        assert found["one_alone"]["samples"] > 0.95
        assert found["below_threshold"]["samples"] > 0.9
        assert found["nearer"]["z"] < -5
        for pair in result.pairs[space]:
            # The pair is of one face: turned, where it is so that it was copied.
            assert np.abs(pair.image.astype(int) - pair.training).mean() < 12
    mirrored = [pair.mirrored for pair in result.pairs["pixels"]]
    assert any(mirrored)
    assert not all(mirrored)


@pytest.mark.slow
def test_one_face_in_ten_is_enough(quick, known, trained, held_out) -> None:
    draws = [np.random.default_rng(noise(s).view(np.uint32).tolist()) for s in range(2 * SAMPLES)]
    copied = np.mean([draw.random() < 0.1 for draw in draws])
    honest = audit(None, trained, held_out, samples=2 * SAMPLES).figures
    figures = audit(copier(known, 0.1), trained, held_out, samples=2 * SAMPLES).figures
    alone = figures["spaces"]["pixels"]["one_alone"]
    # The copies, and what is taken for one among the other faces.
    chance = honest["spaces"]["pixels"]["one_alone"]["samples"]
    assert copied - 0.03 < alone["samples"] <= copied + chance
    assert alone["p"] < 1e-3
    assert figures["verdict"]["copies"] is True
    assert "to one training image alone" in figures["verdict"]["text"]


def test_blur_is_not_taken_for_copying(quick, trained, held_out) -> None:
    strangers = ffgan.generate(32, seed=5, tries=1)
    figures = audit(blurred(strangers), trained, held_out, samples=SAMPLES).figures
    found = figures["spaces"]["pixels"]
    # By their distances alone they are nearer to training images than held-out ones are: but to
    # other held-out images as well.
    assert found["nearer"]["p"] < 1e-6
    assert found["nearer_to_held_out"]["p"] < 1e-6
    assert figures["verdict"]["copies"] is False


@pytest.mark.slow
def test_without_held_out_images_copies_stand_out_all_the_same(quick, known, trained) -> None:
    strangers = ffgan.generate(32, seed=5, tries=1)
    for model, copies in ((None, False), (blurred(strangers), False), (copier(known, 0.5), True)):
        figures = audit(model, trained, samples=SAMPLES).figures
        assert figures["held_out"] is None
        assert figures["real_count"] == SAMPLES
        assert figures["verdict"]["copies"] is copies
        for space in SPACES:
            assert "training_is_nearest" not in figures["spaces"][space]
            assert figures["spaces"][space]["distances"]["real"]["minimum"] > 0
        if not copies:
            assert "can be told only with --heldout" in figures["verdict"]["text"]
            assert f"{SAMPLES} of the training images, each without itself" in table(figures)


def test_turned_copies_are_missed_where_turned_images_are(quick, known, trained, held_out) -> None:
    def turn(made: RGB, latents: np.ndarray) -> RGB:
        return np.stack([known[abs(hash(x.tobytes())) % len(known)][:, ::-1] for x in latents])

    found = [
        audit(Other(turn), trained, held_out, samples=32, mirrored=mirrored).figures["spaces"]
        for mirrored in (True, False)
    ]
    assert found[0]["pixels"]["distances"]["samples"]["median"] == 0
    assert found[1]["pixels"]["distances"]["samples"]["median"] > 0.01


def test_held_out_images_that_are_training_images_are_counted(quick, known, trained, tmp_path):
    mixed = write(tmp_path / "mixed", np.concatenate([known[:5], ffgan.generate(20, 7, tries=1)]))
    figures = audit(None, trained, mixed, samples=32).figures
    assert figures["held_out"]["in_training"] == 5
    assert "warning: 5 of the held-out images are training images" in table(figures)


def test_broken_images_are_left_out(quick, known, trained, held_out, tmp_path) -> None:
    folder = write(tmp_path / "some", known[:30])
    for number in (0, 7, 20):
        (folder / f"{number:03d}.png").write_bytes(b"broken")
    result = audit(copier(known[:30], 1.0), folder, held_out, samples=32)
    assert result.figures["train"]["count"] == 27
    assert result.figures["train"]["broken"] == 3
    for pair in result.pairs["pixels"]:
        number = int(pair.training_name.removesuffix(".png"))
        shown = known[number][:, ::-1] if pair.mirrored else known[number]
        np.testing.assert_array_equal(pair.training, shown)


def test_pairs_are_what_they_say(quick, known, trained, held_out) -> None:
    model = copier(known, 0.5)
    result = audit(model, trained, held_out, samples=32, seed=40)
    for space in SPACES:
        distances = [pair.distance for pair in result.pairs[space]]
        assert distances == sorted(distances)
        for pair in result.pairs[space]:
            seed = int(pair.name.removeprefix("seed "))
            assert 40 <= seed < 72
            np.testing.assert_array_equal(pair.image, model.render(model.latents(1, seed))[0])
        for pair in result.real_pairs[space]:
            np.testing.assert_array_equal(
                pair.image, images.decode((held_out / pair.name).read_bytes())
            )


def test_candidates_are_those_of_gen(quick, trained, held_out) -> None:
    result = audit(None, trained, held_out, samples=32, seed=3, candidates=True, tries=4)
    pair = result.pairs["pixels"][0]
    face = ffgan.load().face(int(pair.name.removeprefix("seed ")), tries=4)
    np.testing.assert_array_equal(pair.image, face.image)
    assert "candidates taken of seeds 3 to 34" in table(result.figures)


@pytest.mark.slow
def test_twice_is_the_same_to_the_last_digit_and_progress_is_told(
    known, held_out, tmp_path
) -> None:
    try:
        features.load("faces")
    except ExtraError as error:
        pytest.skip(str(error))
    # The real network takes its time.
    trained = write(tmp_path / "some", known[:16])
    told: list[tuple[str, int, int]] = []
    one, other = (
        audit(None, trained, held_out, samples=16, progress=lambda *now: told.append(now)).figures
        for _ in range(2)
    )
    assert json.dumps(one) == json.dumps(other)
    whole = {(what, total) for what, done, total in told if done == total}
    assert whole == {("samples", 16), ("held-out images", 16), ("training images", 16)}
    assert "dlib's face recognition network" in one["measured_with"]["faces"]
    assert one["verdict"]["copies"] is False


def test_the_page_needs_nothing_else_and_shows_all_pairs(quick, known, trained, held_out) -> None:
    result: Audit = audit(copier(known, 1.0), trained, held_out, samples=32)
    page = audit_page.render(result)
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    shown = sum(len(some[space]) for some in (result.pairs, result.real_pairs) for space in SPACES)
    assert page.count("<img") == 2 * shown
    assert page.count("<svg") == 2
    assert "It copies: " in page
    points = re.findall(r'points="([^"]*)"', page)
    assert all(0 <= float(value) <= 640 for line in points for value in re.split("[ ,]", line))


def run(*arguments: object) -> int:
    return cli.main(["audit", *map(str, arguments)])


def test_the_command_says_it_by_its_exit_status_too(
    quick, known, trained, held_out, tmp_path, capsys, monkeypatch
) -> None:
    options = ("--train", trained, "--heldout", held_out, "--samples", 32)
    assert run(*options, "--report", tmp_path / "audit.html") == 0
    out = capsys.readouterr().out
    assert out.rstrip().splitlines()[-1].startswith("No sign of copying")
    assert (tmp_path / "audit.html").read_text().startswith("<!doctype html>")
    model = copier(known, 1.0)
    monkeypatch.setattr(Model, "load", lambda path, **options: model)
    assert run(*options, "--json") == 3
    figures = json.loads(capsys.readouterr().out)
    assert figures["verdict"]["copies"] is True
    assert len(figures["spaces"]["faces"]["closest"]) == 18


@needs_bf16
def test_an_audit_of_faces_in_bf16_says_so(quick, trained, held_out, tmp_path, capsys) -> None:
    options = ("--train", trained, "--heldout", held_out, "--samples", 16, "--precision", "bf16")
    page = tmp_path / "audit.html"
    assert run(*options, "--report", page) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(", bf16")
    assert "faces in bf16" in page.read_text()


def test_a_full_disk_under_the_report_is_one_line(
    quick, trained, held_out, tmp_path, capsys
) -> None:
    report = tmp_path / "audit.html"
    options = ("--train", trained, "--heldout", held_out, "--samples", 16)
    with largest_file(1000):
        assert run(*options, "--report", report) == 1
    out, err = capsys.readouterr()
    assert err == (
        f"ffgan: error: cannot write --report {report}: File too large; raise the limit on the "
        "size of files (ulimit -f) or give another file\n"
    )
    assert "sign of copying" in out.lower()  # what was measured is not lost
    assert not list(tmp_path.iterdir())


def test_bad_input_is_one_line_with_the_way_out(
    quick, trained, held_out, tmp_path, capsys, monkeypatch
) -> None:
    (tmp_path / "empty").mkdir()
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((), "required: --train"),
        (("--train", tmp_path / "none"), "no such folder"),
        (("--train", tmp_path / "empty"), "no image in"),
        (("--train", trained, "--heldout", trained.parent), "are not apart"),
        (("--train", trained, "--model", tmp_path / "m.safetensors"), "does not exist"),
        (("--train", trained, "--samples", 3), "must be from 16"),
        (("--train", trained, "--report", tmp_path / "no" / "a.html"), "make the folder"),
        (("--train", trained, "--report", tmp_path), "is a folder: give a file"),
    ]
    for options, message in cases:
        assert run(*options) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("ffgan: error: ")
        assert err.count("\n") == 1
        assert message in err


def test_errors_are_ffgans_own(quick, trained, tmp_path, monkeypatch) -> None:
    few = write(tmp_path / "few", ffgan.generate(3, 1, tries=1))
    with pytest.raises(DatasetError, match="3 images that can be read, too few"):
        audit(None, trained, few, samples=16)
    with pytest.raises(UsageError, match="15 samples: give from 16"):
        audit(None, trained, samples=15)
    with pytest.raises(ModelError):
        audit(tmp_path / "none.safetensors", trained)


def test_without_the_extra_one_line_says_what_to_install(trained, capsys, monkeypatch) -> None:
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    assert run("--train", trained) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install 'ffgan[" in err


@pytest.mark.slow
def test_a_model_that_was_overfitted_on_purpose_is_caught(
    known, held_out, tmp_path, load_tool
) -> None:
    few = known[:16]
    generator, losses = load_tool("overfit").overfit(few, steps=700, batch=8, seed=0)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    packaged = by_network(ffgan.load().parameters)
    model = Model(generator, packaged["discriminator"], {})
    figures = audit(model, write(tmp_path / "few", few), held_out, samples=2 * SAMPLES).figures
    assert figures["verdict"]["copies"] is True
