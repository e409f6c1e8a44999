# SPDX-License-Identifier: GPL-3.0-or-later
"""Each format, read back by the libraries that its users have."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffgan import synthesis
from ffgan.model import Face, Model

COUNT, FIRST = 9, 40

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(packaged: Model) -> list[Face]:
    return list(packaged.faces(COUNT, FIRST))


@pytest.fixture(scope="module")
def sets(packaged: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A set of each format in two splits; a folder above has the name of a third."""
    made = {}
    for format in ("folder", "parquet", "webdataset", "tfrecord", "npy"):
        made[format] = tmp_path_factory.mktemp("validation") / format
        synthesis.make(
            made[format],
            COUNT,
            model=packaged,
            seed=FIRST,
            format=format,  # type: ignore[arg-type]
            encoding="png",
            attributes=["brightness", "sharpness"],
            latent="float16",
            shard_size=4,
            split=[("train", 0.7), ("test", 0.3)],
        )
    return made


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Hugging Face's library, which asks no server for anything."""
    home = str(tmp_path_factory.mktemp("hub"))
    before = dict(os.environ)
    os.environ |= {"HF_HOME": home, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    try:
        yield pytest.importorskip("datasets", reason="datasets is not installed")
    finally:
        os.environ.clear()
        os.environ.update(before)


def check(rows: list[Any], faces: list[Face], first: int) -> None:
    """That rows are the labelled faces from ``first`` on."""
    for row, face in zip(rows, faces[first : first + len(rows)], strict=True):
        np.testing.assert_array_equal(np.array(row["image"]), face.image)
        assert (row["seed"], row["tries"]) == (face.seed, face.tries)
        assert row["index"] == face.seed - FIRST
        latent = np.array(row["latent"], np.float16)
        np.testing.assert_array_equal(latent, face.latent.astype(np.float16))
        assert 0 < row["brightness"] < 100


@pytest.mark.parametrize("format", ["folder", "parquet", "webdataset"])
@pytest.mark.parametrize("told", [True, False])
def test_load_dataset_finds_pictures_labels_and_splits(
    told: bool, format: str, sets: dict[str, Path], faces: list[Face], datasets: Any, tmp_path: Path
) -> None:
    """``told``: the builder is named, and the data card with its list of files is not read."""
    out = sets[format]
    if not told:
        found = datasets.load_dataset(str(out), cache_dir=str(tmp_path))
    elif format == "folder":
        found = datasets.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path))
    else:
        pattern = "data/{}-*.parquet" if format == "parquet" else "{}/*.tar"
        files = {split: str(out / pattern.format(split)) for split in ("train", "test")}
        found = datasets.load_dataset(format, data_files=files, cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in found.items()} == {"train": 6, "test": 3}
    for split, first in (("train", 0), ("test", 6)):
        rows = list(found[split])
        if format == "webdataset":
            rows = [
                {**row["json"], "image": row["png"], "latent": row["latent.npy"]} for row in rows
            ]
        else:
            assert type(found[split].features["image"]).__name__ == "Image"
        if format == "folder":  # whose folders come in an order of the process
            rows.sort(key=lambda row: row["index"])
        check(rows, faces, first)


def test_the_card_of_a_folder_loads_it_in_its_order_in_each_process(
    sets: dict[str, Path], tmp_path: Path
) -> None:
    """Which follows from Python's hashes without what the card says: seeds 1 and 2 give two."""
    pytest.importorskip("datasets", reason="datasets is not installed")
    out = sets["folder"]
    card = (out / "README.md").read_text()
    (line,) = [line.strip() for line in card.splitlines() if "load_dataset(" in line]
    call = line.replace('"OUT"', f"{str(out)!r}, cache_dir={str(tmp_path)!r}")
    orders = [
        subprocess.run(
            [sys.executable, "-c", f"import datasets; print({call}['index'][:])"],
            env={
                **os.environ,
                "HF_HOME": str(tmp_path),
                "HF_HUB_OFFLINE": "1",
                "PYTHONHASHSEED": seed,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert orders == [f"{list(range(6))}\n"] * 3


def test_parquet_is_read_by_pandas_and_pyarrow(sets: dict[str, Path], faces: list[Face]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    from ffgan import images

    file = sets["parquet"] / "data" / "train-00000.parquet"
    frame = pandas.read_parquet(file)
    assert frame["seed"].tolist() == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    assert str(frame["score"].dtype) == "float32"
    rows = [
        {**row, "image": images.decode(row["image"]["bytes"])} for row in frame.to_dict("records")
    ]
    check(rows, faces, 0)
    schema = parquet.read_schema(file)
    assert str(schema.field("latent").type) == "fixed_size_list<element: halffloat>[100]"
    assert b'"Image"' in schema.metadata[b"huggingface"]


def test_a_row_group_is_some_megabytes(packaged: Model, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    synthesis.make(tmp_path, 501, model=packaged, format="parquet", attributes="none")
    about = parquet.ParquetFile(tmp_path / "data" / "train-00000.parquet").metadata
    sizes = [about.row_group(i) for i in range(about.num_row_groups)]
    assert [one.num_rows for one in sizes] == [250, 250, 1]
    assert 1e6 < sizes[0].total_byte_size < 20e6


# It leaves the tars open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_whole_samples(sets: dict[str, Path], faces: list[Face]) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    urls = [str(sets["webdataset"] / "train" / f"{i:05d}.tar") for i in range(2)]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [one["__key__"] for one in found] == [f"{i:09d}" for i in range(6)]
    rows = [{**one["json"], "image": one["png"], "latent": one["latent.npy"]} for one in found]
    check(rows, faces, 0)


def test_members_of_a_tar_have_no_time_and_no_owner(sets: dict[str, Path]) -> None:
    with tarfile.open(sets["webdataset"] / "train" / "00000.tar") as tar:
        members = tar.getmembers()
    assert [one.name for one in members[:3]] == [
        "000000000.png", "000000000.json", "000000000.latent.npy",
    ]  # fmt: skip
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode) for one in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_tfrecord_is_what_protocol_buffers_decode(sets: dict[str, Path], faces: list[Face]) -> None:
    """By a decoder of its own, and with sums of its own; TensorFlow is too large for the tests."""
    pytest.importorskip("google.protobuf", reason="protobuf is not installed")
    crc32c = pytest.importorskip("google_crc32c", reason="google-crc32c is not installed")
    from ffgan import images

    def masked(data: bytes) -> int:
        crc = crc32c.value(data)
        return int(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    data, rows = (sets["tfrecord"] / "train" / "00000.tfrecord").read_bytes(), []
    while data:
        length, of_length = struct.unpack_from("<QI", data)
        content, (of_content,) = data[12 : 12 + length], struct.unpack_from("<I", data, 12 + length)
        assert (of_length, of_content) == (masked(data[:8]), masked(content))
        data = data[16 + length :]
        feature = example()
        feature.ParseFromString(content)
        found = {one.key: one.value for one in feature.features.feature}
        rows.append(
            {name: list(getattr(one, one.WhichOneof("kind")).value) for name, one in found.items()}
        )
    assert len(rows) == 4
    for row in rows:
        for name in row.keys() - {"latent"}:
            (row[name],) = row[name]
        row["image"] = images.decode(row["image"])
    check(rows, faces, 0)


def example() -> Any:
    """A message tf.train.Example, by its description."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def add(name: str, *fields: tuple[str, int, int, str]) -> Any:
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            repeated = field in ("value", "feature") and name != "Entry"
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            message.field.add(
                name=field, number=number, type=kind, type_name=of or None, label=label
            )
        return message

    add("BytesList", ("value", 1, kinds.TYPE_BYTES, ""))
    add("FloatList", ("value", 1, kinds.TYPE_FLOAT, ""))
    add("Int64List", ("value", 1, kinds.TYPE_INT64, ""))
    lists = ("BytesList", "FloatList", "Int64List")
    fields = [(f"l{i}", i, kinds.TYPE_MESSAGE, f".{of}") for i, of in enumerate(lists, start=1)]
    one = add("Feature", *fields)
    one.oneof_decl.add(name="kind")
    for field in one.field:
        field.oneof_index = 0
    add("Entry", ("key", 1, kinds.TYPE_STRING, ""), ("value", 2, kinds.TYPE_MESSAGE, ".Feature"))
    add("Features", ("feature", 1, kinds.TYPE_MESSAGE, ".Entry"))
    add("Example", ("features", 1, kinds.TYPE_MESSAGE, ".Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Example"))()


def test_a_memory_map_feeds_a_data_loader(sets: dict[str, Path], faces: list[Face]) -> None:
    torch = pytest.importorskip("torch", reason="torch is in the extra 'oracle'")
    pixels = np.load(sets["npy"] / "train-images.npy", mmap_mode="r")
    labels = np.load(sets["npy"] / "train-labels.npy", mmap_mode="r")

    class Pictures(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, i: int) -> Any:
            return np.array(pixels[i]), int(labels["seed"][i]), float(labels["brightness"][i])

    batches = list(torch.utils.data.DataLoader(Pictures(), batch_size=4))
    assert torch.cat([batch[0] for batch in batches]).numpy().shape == (6, 162, 162, 3)
    seeds = torch.cat([batch[1] for batch in batches]).tolist()
    assert seeds == [face.seed for face in faces[:6]]
    np.testing.assert_array_equal(batches[1][0][1].numpy(), faces[5].image)


def test_pandas_reads_the_labels_of_a_memory_map(sets: dict[str, Path]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    labels = np.load(sets["npy"] / "test-labels.npy")
    frame = pandas.DataFrame({name: list(labels[name]) for name in labels.dtype.names})
    assert frame["index"].tolist() == [6, 7, 8]
    assert frame["latent"][0].dtype == np.float16
