# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files below a folder are images, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.training_images import SMALL, jpeg, number_of, relative

from ffgan.dataset import Dataset, printable
from ffgan.errors import DatasetError, UnavailableError, UsageError


def test_images_are_found_in_all_folders_in_any_case_and_in_a_fixed_order(tmp_path: Path) -> None:
    names = [
        "B.JPG", "a.jpeg", "a/z.PNG", "a/b/c.webp", "a/b/d.WebP", "e.bmp", "f.tif", "g.TIFF",
    ]  # fmt: skip
    for name in [*reversed(names), "notes.txt", "film.MP4", "a/movie.gif", "a.jpg.part"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"GIF89a" if name.endswith("gif") else jpeg())
    data = Dataset(tmp_path)
    assert relative(data) == sorted(names)
    assert len(data) == len(data.paths) == 8
    assert data.paths[-1] == data.paths[7]
    assert data.paths[1:3] == [data.paths[1], data.paths[2]]
    assert "8 images" in data.summary
    ignored = data.found.partition("4 other files ignored: ")[2].split(", ")
    assert sorted(ignored) == ["1 GIF", "1 film", "1 text", "1 unfinished or a copy"]


def test_hidden_files_and_folders_are_left_out_and_counted(folder: Path) -> None:
    (folder / ".hidden.jpg").write_bytes(jpeg())
    (folder / ".git").mkdir()
    (folder / ".git" / "x.jpg").write_bytes(jpeg())
    data = Dataset(folder)
    assert len(data) == 12
    assert "2 hidden files and folders left out" in data.summary


def test_a_hidden_folder_that_is_named_is_walked(folder: Path, tmp_path: Path) -> None:
    hidden = folder.rename(tmp_path / ".faces")
    assert len(Dataset(hidden)) == 12


def test_links_are_followed_but_not_in_circles(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.jpg").write_bytes(jpeg())
    (elsewhere / "back").symlink_to(folder)
    (folder / "more").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "link.jpg").symlink_to(elsewhere / "x.jpg")
    data = Dataset(folder)
    assert len(data) == 14
    assert "more/x.jpg" in relative(data)
    assert "2 folders reached again" in data.summary


def test_links_that_lead_nowhere_and_pipes_are_reported(folder: Path, tmp_path: Path) -> None:
    (folder / "gone.jpg").symlink_to(tmp_path / "gone")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "to-pipe.jpg").symlink_to(folder / "pipe.jpg")
    log = tmp_path / "skipped.log"
    data = Dataset(folder, skipped_log=log)
    assert len(data) == 12
    assert "4 files and folders that cannot be read" in data.summary
    assert log.read_text().splitlines() == [
        "circle.jpg\tToo many levels of symbolic links",
        "gone.jpg\tthe link leads nowhere",
        "pipe.jpg\tnot a regular file",
        "to-pipe.jpg\tnot a regular file",
    ]


def test_an_unreadable_folder_is_reported_and_not_fatal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = folder / "locked"
    locked.mkdir()
    (locked / "x.jpg").write_bytes(jpeg())
    scandir = os.scandir

    def as_for_others_than_root(path: bytes) -> object:
        if path == os.fsencode(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", as_for_others_than_root)
    data = Dataset(folder, skipped_log=tmp_path / "skipped.log")
    assert len(data) == 12
    assert "1 file or folder that cannot be read" in data.summary
    assert (tmp_path / "skipped.log").read_text() == "locked/\tPermission denied\n"


def test_an_unreadable_folder_given_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: bytes) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(UnavailableError, match=r"cannot read .*faces: Permission denied"):
        Dataset(folder)


def test_names_that_are_not_utf8_work_and_print_as_one_line(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    names = [b"caf\xe9.jpg", b"new\nline.jpg", b"\x1b[31mred.jpg", "gr\u00fc\u00df.jpg".encode()]
    for name in names:
        with open(os.path.join(root, name), "wb") as file:
            file.write(b"broken")
    with open(os.path.join(root, b"good\xff.jpg"), "wb") as file:
        file.write(jpeg(9))
    log = tmp_path / "skipped.log"
    with Dataset(tmp_path, skipped_log=log, size=SMALL) as data:
        assert len(data) == 5
        assert {os.fsencode(path.name) for path in data.paths} == {*names, b"good\xff.jpg"}
        assert {number_of(image) for image in next(data.batches(8, seed=1))} == {9}
    assert sorted(line.partition("\t")[0] for line in log.read_text("utf-8").splitlines()) == [
        r"\x1b[31mred.jpg", r"caf\xe9.jpg", "gr\u00fc\u00df.jpg", r"new\nline.jpg",
    ]  # fmt: skip
    with pytest.raises(DatasetError, match=r"new\\nline\.jpg: text, not a JPEG"):
        data.image(relative(data).index("new\nline.jpg"))


@given(st.binary(max_size=40))
def test_printable_is_one_line_that_any_terminal_takes(name: bytes) -> None:
    assert printable(name).isprintable()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no such folder or file: .*nowhere"):
        Dataset(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("beginning", "way_out"),
    [
        (b"PK\3\4", "is no whole zip archive: it has no directory at its end; was it cut off?"),
        (b"7z\xbc\xaf\x27\x1c", "is an archive (7z): unpack it, and give the folder that"),
        (jpeg(), "is a single picture (JPEG): give a folder of pictures"),
        (b"\0\0\0\x18ftypisom", "is a film (MP4 video): save its frames as pictures"),
        (b"name,age\n", "is a text of which no line is the path of a file. The first is "),
        (b"", "is a file, not a folder of pictures: give one"),
    ],
)
def test_for_a_file_the_way_out_fits_what_it_is(
    tmp_path: Path, beginning: bytes, way_out: str
) -> None:
    path = tmp_path / "given"
    path.write_bytes(beginning)
    with pytest.raises(DatasetError) as got:
        Dataset(path)
    assert str(got.value).startswith(f"{path} {way_out}")


def test_a_folder_without_images_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match=r"no image in .*webp") as raised:
        Dataset(tmp_path)
    assert raised.value.exit_code == 2


def test_the_hash_tells_of_names_and_sizes_and_not_of_the_place(
    folder: Path, tmp_path: Path
) -> None:
    before = Dataset(folder).hash
    assert len(before) == 64
    moved = folder.rename(tmp_path / "moved")
    assert Dataset(moved).hash == before
    (moved / "00.jpg").rename(moved / "0.jpg")
    renamed = Dataset(moved).hash
    (moved / "0.jpg").write_bytes(jpeg() + b"x")
    longer = Dataset(moved).hash
    assert len({before, renamed, longer}) == 3


@pytest.mark.parametrize("options", [{"fit": "squeeze"}, {"size": 0}, {"workers": 0}])
def test_arguments_out_of_range_are_refused(folder: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Dataset(folder, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"batch": 0}, {"seed": -1}, {"start": -1}])
def test_batches_out_of_range_are_refused(folder: Path, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Dataset(folder).batches(**{"batch": 4, "seed": 1, **options})
