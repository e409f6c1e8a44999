# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files count as training images, and which never do."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.training_images import SMALL, jpeg, relative

import ffgan
from ffgan import images
from ffgan.dataset import Dataset, ImageFolder, pack
from ffgan.dataset.sources.listing import EARLIER_SUFFIXES
from ffgan.errors import DatasetError, UnavailableError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"

# --- What a file is ---


def test_pictures_are_found_whatever_their_suffix(tmp_path: Path) -> None:
    names = [
        "IMG_9.HEIC", "a.jpe", "b.JFIF", "c.mpo", "noextension", "pic.jpg?size=large",
        "saved.pjpeg", "twitter.jpg_large",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).write_bytes(jpeg())
    data = Dataset(tmp_path, size=SMALL)
    assert relative(data) == names
    assert data.image(5).shape == (SMALL, SMALL, 3)
    assert data.found == f"8 images in {tmp_path}"


def test_what_is_ignored_is_named_by_kind_and_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_photos_extra(monkeypatch)
    for name, content in {
        "a.heic": HEIC,
        "b.HEIC": HEIC,
        "c": HEIC,
        "d.mov": b"",
        "e.gif": b"GIF89a",
        "notes.txt": jpeg(),
        "f.nef": b"II*\0\x08\0\0\0",
        "g.dat_": bytes(range(256)),
    }.items():
        (folder / name).write_bytes(content)
    data = Dataset(folder)
    assert len(data) == 12
    line = data.found.splitlines()[1]
    assert line.startswith(
        "8 other files ignored: 3 HEIC (pip install 'ffgan[photos]' reads them), 1 "
    )
    for kind in ("1 film", "1 GIF", "1 text", "1 raw photograph", "1 unknown"):
        assert kind in line


def without_photos_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> object:
        return None if name == "pillow_heif" else find(name, package)

    monkeypatch.setattr("ffgan.images.kinds.find_spec", found)


def test_a_folder_of_heic_alone_says_what_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_photos_extra(monkeypatch)
    for name in ("a.heic", "b.heic"):
        (tmp_path / name).write_bytes(HEIC)
    with pytest.raises(DatasetError) as got:
        Dataset(tmp_path)
    assert str(got.value) == (
        f"no image in {tmp_path} can be read: 2 other files ignored: "
        "2 HEIC (pip install 'ffgan[photos]' reads them)"
    )


def test_the_hash_of_plain_folders_is_what_runs_and_packs_of_earlier_versions_hold(
    folder: Path,
) -> None:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name}\0{path.stat().st_size}\n".encode())
    for name in ("notes.txt", "face-1.gif", "film"):
        (folder / name).write_bytes(b"GIF89a")
    assert Dataset(folder).hash == digest.hexdigest()


def test_a_run_of_an_earlier_version_keeps_its_images(folder: Path) -> None:
    before = Dataset(folder)
    for name in ("a.jfif", "noextension"):
        (folder / name).write_bytes(jpeg())
    assert len(Dataset(folder)) == 14
    resumed = Dataset(folder, as_of=before.hash)
    assert (resumed.hash, list(resumed.names)) == (before.hash, list(before.names))
    unknown = Dataset(folder, as_of="0" * 64)
    assert len(unknown) == 14


# --- What ffgan made ---


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A generated face in each format, with the metadata that `gen` and the server write."""
    image = ffgan.load().render(np.zeros((1, 100), np.float32))[0]
    origin = {"software": "ffgan", "version": "1", "seed": "7"}
    return {format: images.encode(image, format, metadata=origin) for format in images_formats()}


def images_formats() -> tuple[images.Format, ...]:
    return ("png", "jpg", "webp")


@pytest.mark.parametrize("format", images_formats())
def test_generated_faces_are_no_training_images_unless_asked_for(
    folder: Path, generated: dict[str, bytes], format: str
) -> None:
    before = Dataset(folder)
    for name in ("face-7", "face-7 (1)", "ffgan-7-16"):
        (folder / f"{name}.{format}").write_bytes(generated[format])
    (folder / f"step-00000100.{format}").write_bytes(generated[format])
    data = Dataset(folder)
    assert data.hash == before.hash
    assert "4 files left out that ffgan made of generated faces" in data.found
    assert len(Dataset(folder, include_generated=True)) == 16


def test_the_users_own_pictures_may_have_such_names(folder: Path) -> None:
    for name in ("face-1.jpg", "faces-1-2.jpg", "step-1.jpg"):
        (folder / name).write_bytes(jpeg())
    assert len(Dataset(folder)) == 15


def test_a_folder_of_nothing_but_generated_faces_names_the_option_that_takes_them(
    tmp_path: Path, generated: dict[str, bytes]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").write_bytes(generated["png"])
    with pytest.raises(DatasetError, match=r"generated; .* with --include-generated"):
        pack(tmp_path / "photos", tmp_path / "pack")
    assert len(pack(tmp_path / "photos", tmp_path / "pack", include_generated=True)) == 1


@pytest.mark.parametrize("format", images_formats())
def test_generated_faces_with_other_names_come_into_no_batch(
    folder: Path, tmp_path: Path, generated: dict[str, bytes], format: str
) -> None:
    before = Dataset(folder)
    (folder / f"me.{format}").write_bytes(generated[format])
    log = tmp_path / "skipped.log"
    with Dataset(folder, size=SMALL, skipped_log=log) as data:
        next(data.batches(26, seed=1))
        assert data.skipped == 1
        assert "1 generated file skipped" in data.summary
        assert "broken" not in data.summary
    assert log.read_text() == f"me.{format}\ta picture of faces that ffgan generated\n"
    assert Dataset(folder, as_of=before.hash).hash == before.hash
    with Dataset(folder, size=SMALL, include_generated=True) as data:
        next(data.batches(26, seed=1))
        assert data.skipped == 0


def test_a_folder_of_generated_faces_says_how_to_take_them(
    tmp_path: Path, generated: dict[str, bytes]
) -> None:
    (tmp_path / "face-1.png").write_bytes(generated["png"])
    with pytest.raises(DatasetError, match=r"1 file left out .* --include-generated"):
        Dataset(tmp_path)


# --- What cannot be read from the start ---

WITHOUT_ROOTS_RIGHTS = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]


def as_a_plain_user(program: str) -> str:
    """What a program prints for which permissions count."""
    prefix = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, sys.executable, "-c", program], capture_output=True, text=True)
    if done.returncode and "setpriv" in done.stderr:
        pytest.skip(f"root's rights cannot be dropped here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_may_not_be_read_is_named_at_once_and_left_out(folder: Path) -> None:
    before = Dataset(folder)
    (folder / "03.jpg").chmod(0)
    output = as_a_plain_user(
        f"""
from ffgan.dataset import Dataset
from ffgan.errors import UnavailableError
data = Dataset({str(folder)!r}, size=24)
print(len(data))
print(data.found)
print(next(data.batches(22, seed=1)).shape, data.skipped)
try:
    Dataset({str(folder)!r}, as_of={before.hash!r})
except UnavailableError as error:
    print(error)
from ffgan.dataset import pack
try:
    pack({str(folder)!r}, {str(folder.parent / "never.pack")!r})
except UnavailableError as error:
    print(error)
"""
    )
    lines = output.splitlines()
    assert lines == [
        "11",
        f"11 images in {folder}",
        "1 file or folder that cannot be read (03.jpg: Permission denied)",
        "(22, 24, 24, 3) 0",
        f"cannot read {folder / '03.jpg'}: Permission denied; the run that is resumed has it: make "
        "it readable",
        f"cannot read {folder / '03.jpg'}: Permission denied; make it readable, or move it out of "
        "the folder",
    ]
    assert not (folder.parent / "never.pack").exists()


def test_a_folder_that_the_system_cannot_read_is_neither_missing_nor_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def stale(path: object, **options: object) -> os.stat_result:
        if os.fspath(path) == str(folder):  # type: ignore[call-overload]
            raise OSError(116, "Stale file handle")
        return stat(path, **options)  # type: ignore[call-overload,no-any-return]

    with monkeypatch.context() as system:
        system.setattr(os, "stat", stale)
        with pytest.raises(UnavailableError, match=r"cannot read .*faces: Stale file handle"):
            ImageFolder(folder)


def test_the_suffixes_of_earlier_versions_stay(tmp_path: Path) -> None:
    assert {suffix.decode() for suffix in EARLIER_SUFFIXES} <= set(images.suffixes())


def test_a_pack_holds_what_the_folder_holds(
    folder: Path, tmp_path: Path, generated: dict[str, bytes]
) -> None:
    (folder / "face-1.png").write_bytes(generated["png"])
    (folder / "a.jfif").write_bytes(jpeg())
    with pack(folder, tmp_path / "faces.pack") as packed:
        assert len(packed) == 13
        assert packed.hash == Dataset(folder).hash


def test_a_run_is_not_called_changed_for_a_folder_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = folder / "below"
    below.mkdir()
    (folder / "03.jpg").rename(below / "03.jpg")
    before = Dataset(folder).hash
    scandir = os.scandir

    def stale(path: bytes) -> object:
        if path == os.fsencode(below):
            raise OSError(116, "Stale file handle")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", stale)
    with pytest.raises(UnavailableError, match=r"\(below/: Stale file handle\): make them"):
        Dataset(folder, as_of=before)
    assert len(Dataset(folder)) == 11


def test_a_resumed_run_whose_drive_is_away_is_told_so(folder: Path) -> None:
    before = Dataset(folder).hash
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(UnavailableError, match=r"no image in .*: is a drive away\?"):
        Dataset(folder, as_of=before)


def test_folders_of_a_drive_without_inode_numbers_are_all_entered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "x.jpg").write_bytes(jpeg())
    (folder / "b" / "back").symlink_to(folder)
    stat = os.stat

    def unnumbered(path: str | bytes, **options: bool) -> os.stat_result:
        fields = list(stat(path, **options))
        fields[1] = 0
        return os.stat_result(fields)

    with monkeypatch.context() as system:
        system.setattr(os, "stat", unnumbered)
        source = ImageFolder(folder)
    assert len(source) == 14
    assert "1 folder reached again" in source.found


def test_folders_too_deep_for_any_program_are_named_briefly_and_no_outage(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(jpeg())
    deep = "x" * 250
    script = "import os\nfor _ in range(20): os.mkdir(name); os.chdir(name)"
    subprocess.run([sys.executable, "-c", f"name = {deep!r}\n{script}"], cwd=photos, check=True)
    pack(photos, tmp_path / "photos.pack")
    with Dataset(photos) as data:
        assert "1 file or folder that cannot be read" in data.summary
        assert "File name too long" in data.summary
        assert len(data.summary) < 600
    subprocess.run(["rm", "-r", str(photos)], check=True)
