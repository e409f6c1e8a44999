# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar archives as data sets, also compressed ones, and those that somebody made to do harm."""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import os
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import files_below, tarred
from support.training_images import SMALL, jpeg, number_of, numbers

from ffgan.dataset import Dataset, ImageFiles
from ffgan.dataset.sources import tar_archive
from ffgan.errors import DatasetError, Error


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_gives_the_batches_of_the_folder_that_it_was_made_of(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "x.jpg").write_bytes(jpeg(20))
    archive = tmp_path / "faces.any"
    with tarfile.open(archive, mode) as file:  # type: ignore[call-overload]
        file.add(folder, "faces")
    assert Dataset(archive).hash == Dataset(folder).hash
    assert numbers(archive, 5, 6) == numbers(folder, 5, 6)


def test_links_devices_and_what_is_nested_are_counted(tmp_path: Path) -> None:
    inner = tarred(tmp_path / "inner.tar", [("x.jpg", jpeg())]).read_bytes()
    path = tarred(
        tmp_path / "mixed.tar",
        [("a.jpg", jpeg(1)), ("inner.tar", inner), ("b.txt", b"text"), (".c.jpg", jpeg())],
    )
    with tarfile.open(path, "a") as archive:
        for name, kind in {
            "link.jpg": tarfile.SYMTYPE,
            "hard.jpg": tarfile.LNKTYPE,
            "pipe.jpg": tarfile.FIFOTYPE,
            "disk.jpg": tarfile.BLKTYPE,
            "folder.jpg": tarfile.DIRTYPE,
        }.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    files = ImageFiles(path)
    assert list(files.names) == [b"a.jpg"]
    for part in ("4 link or special file", "1 archive", "1 text", "1 hidden file or folder"):
        assert part in files.left_out


def test_a_member_that_was_appended_anew_replaces_the_old_one(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", [("a.jpg", jpeg(1)), ("a.jpg", jpeg(2))])
    files = ImageFiles(path)
    assert [files.read(k) for k in range(len(files))] == [jpeg(2)]
    assert files.left_out == "1 file left out whose name comes again"


def test_sparse_members_are_no_images(tmp_path: Path) -> None:
    whole = tmp_path / "sparse.jpg"
    with whole.open("wb") as file:
        file.truncate(1 << 20)
        file.write(jpeg())
    (tmp_path / "z.jpg").write_bytes(jpeg(3))
    for format in ("gnu", "posix"):
        status = os.system(f"cd {tmp_path} && tar --sparse --format={format} -cf s.tar *.jpg")
        assert status == 0
        files = ImageFiles(tmp_path / "s.tar")
        assert list(files.names) == [b"z.jpg"]
        assert files.read(0) == jpeg(3)
        assert "1 link or special file" in files.left_out


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2 + 100]


def with_a_size(number: bytes) -> Callable[[bytes], bytes]:
    """An archive whose third member says another size, with a right checksum."""

    def damage(content: bytes) -> bytes:
        at = content.index(b"02.jpg\0")
        header = bytearray(content[at : at + 512])
        header[124:136] = number.ljust(12, b"\0")
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return content[:at] + bytes(header) + content[at + 512 :]

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "it is cut off"),
        (with_a_size(b"77777777777"), "it is cut off"),
        (with_a_size(b"\x80" + b"\x01" * 11), "a number is out of range"),
        (with_a_size(b"\xff" * 12), "a number is out of range"),
        (with_a_size(b"12 34"), "a number is none"),
        (with_a_size(b"1"), "there is no member at byte"),
    ],
)
def test_a_bad_archive_is_refused_in_one_line(
    folder: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    archive = tarred(tmp_path / "faces.tar", files_below(folder))
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DatasetError, match=f"faces.tar is no whole tar archive: {message}"):
        Dataset(archive)
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    with pytest.raises(DatasetError, match=f"is no whole compressed tar archive: {message}"):
        Dataset(archive)


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, partial(lzma.compress, preset=0)]
)
def test_a_compressed_archive_that_is_cut_off_is_refused(
    folder: Path, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    more = ("12.jpg", np.random.default_rng(0).bytes(1_300_000))  # more than a block of bzip2
    archive = tarred(tmp_path / "faces.tar", [*files_below(folder), more])
    packed = compress(archive.read_bytes())
    archive.write_bytes(packed[: len(packed) * 3 // 4])
    with pytest.raises(DatasetError, match="no whole compressed tar archive: it does not unpack"):
        Dataset(archive)
    archive.write_bytes(compress(b"name,age\n" * 100))
    with pytest.raises(DatasetError, match="there is no tar archive in it"):
        Dataset(archive)


def test_xz_gets_no_memory_without_end(tmp_path: Path) -> None:
    tar = tarred(tmp_path / "a.tar", [("a.jpg", jpeg())]).read_bytes()
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(tar, filters=filters))
    with pytest.raises(DatasetError, match="there is no tar archive in it"):
        Dataset(path)
    path.write_bytes(lzma.compress(tar, preset=9) + bytes(8) + lzma.compress(b""))
    assert ImageFiles(path).read(0) == jpeg()


def test_images_of_a_compressed_archive_lie_in_a_file_that_goes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    archive = tarred(tmp_path / "faces.tgz", files_below(folder), "w:gz")
    with caplog.at_level(logging.INFO, "ffgan"):
        files = ImageFiles(archive)
    assert f"into a temporary file in {spool}" in caplog.text
    assert not list(spool.iterdir())
    archive.unlink()  # nothing of it is needed any more
    assert files.read(3) == (folder / "03.jpg").read_bytes()
    archive.write_bytes(b"")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    tarred(archive, files_below(folder), "w:gz")
    with pytest.raises(Error, match="nowhere: No such file or directory; name a folder"):
        ImageFiles(archive)


def test_a_member_that_is_too_large_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_archive, "MAX_FILE_BYTES", 10_000)
    for mode in ("w", "w:gz"):
        path = tarred(tmp_path / "a.tar", [("a.jpg", bytes(20_000)), ("b.jpg", jpeg(7))], mode)
        with Dataset(path, size=SMALL) as data:
            assert {number_of(image) for image in next(data.batches(3, seed=0))} == {7}


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=260
).filter(
    lambda name: not any(part.startswith(".") for part in name.split("/")) and "//" not in name
)
FORMATS = st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=3000)), min_size=1, max_size=8), FORMATS)
def test_the_standard_library_and_this_reader_agree(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes]], format: int
) -> None:
    path = tmp_path_factory.mktemp("tar") / "any.tar"
    try:
        tarred(path, [(f"{name}.jpg", content) for name, content in members], format=format)
    except ValueError:
        return  # the name is too long for ustar
    with tarfile.open(path) as archive:
        theirs = [
            (os.fsencode(each.name), each.offset_data, each.size) for each in archive.getmembers()
        ]
    with path.open("rb") as file:
        content = file.read()
    ours = [
        (member.name.rstrip(b"/"), member.offset, member.size)
        for member in tar_archive.members(lambda offset, count: content[offset : offset + count])
    ]
    assert ours == theirs


def test_an_empty_archive_and_one_of_folders_have_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("folder")
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    with pytest.raises(DatasetError, match=r"no image in .*a\.tar: give an archive with avif, "):
        Dataset(path)
    path.write_bytes(io.BytesIO().getvalue())
    with pytest.raises(DatasetError, match="is a file, not a folder of pictures"):
        Dataset(path)
