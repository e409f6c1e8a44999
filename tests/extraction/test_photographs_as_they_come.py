# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders as from an iPhone, an Android phone and a scanner, through `extract` and `train`."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from support import profiles
from support.photographs import jpeg, photograph, rows

import ffgan
from ffgan import images
from ffgan.dataset import Dataset
from ffgan.extraction.chip_names import chip_name
from ffgan.typing import RGB

P3 = profiles.rgb_profile(profiles.P3, profiles.srgb_light)
ADOBE = profiles.rgb_profile(profiles.ADOBE, profiles.gamma(2.19921875))

XMP = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/">%s</x:xmpmeta>'


def stored(image: RGB, profile: bytes) -> Image.Image:
    """The numbers that a camera of this colour space stores for an image in sRGB."""
    return ImageCms.profileToProfile(
        Image.fromarray(image),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def heic(image: RGB) -> bytes:
    """As an iPhone writes it: the sensor's rows, a turn, Display P3."""
    buffer = io.BytesIO()
    sideways = stored(image, P3).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # of which the encoder makes `irot`
    pillow_heif.from_pillow(sideways).save(buffer, quality=90, exif=exif.tobytes(), icc_profile=P3)
    return buffer.getvalue()


def ultra_hdr(image: RGB) -> bytes:
    """A JPEG in Display P3 with a second one, its gain map, behind it."""
    buffer = io.BytesIO()
    stored(image, P3).save(buffer, "JPEG", quality=95, icc_profile=P3)
    primary = buffer.getvalue()
    gain_map = jpeg(np.full((100, 100, 3), 60, np.uint8))
    says = segment(
        0xE1, XMP % b'<hdrgm:Version xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>'
    )
    return primary[:2] + says + primary[2:] + gain_map


def motion_photo(image: RGB) -> bytes:
    """A JPEG with a film behind it."""
    still = jpeg(image)
    film = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + struct.pack(">I4s", 5008, b"mdat")
    says = segment(0xE1, XMP % b"<Camera:MotionPhoto>1</Camera:MotionPhoto>")
    return still[:2] + says + still[2:] + film + b"\xff\xd8\xff\xd9" + bytes(4996)


def samsung(image: RGB) -> bytes:
    """A JPEG whose scan says that it ends at coefficient 0, and with a maker's trailer."""
    data = bytearray(jpeg(image))
    scan = data.index(b"\xff\xda")
    (length,) = struct.unpack_from(">H", data, scan + 2)
    data[scan + 2 + length - 2] = 0
    return bytes(data) + b"\0\0\1\x0a" + b"SEFH" + bytes(40) + b"SEFT"


def avif(image: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "AVIF", quality=90, speed=8)
    return buffer.getvalue()


def scan(image: RGB) -> bytes:
    """16 bits, LZW, Adobe RGB, laid on the glass sideways."""
    deep = np.rot90(np.asarray(stored(image, ADOBE)), 1).astype(np.uint16) * 257
    done, data = cv2.imencode(
        ".tiff", np.ascontiguousarray(deep[..., ::-1]), [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    )
    assert done
    return profiles.with_profile(data.tobytes(), ADOBE, orientation=6)


PHOTOGRAPHS = {
    "iphone/IMG_0001.HEIC": heic,
    "iphone/IMG_0002.HEIC": jpeg,  # sent by a messenger that did not change its name
    "iphone/IMG_0003.JPG": ultra_hdr,
    "android/PXL_1.MP.jpg": motion_photo,
    "android/20260101_120000.jpg": samsung,
    "android/photo.avif": avif,
    "scanner/scan0001.tif": scan,
}


@pytest.fixture
def folder(tmp_path: Path, people: RGB) -> Path:
    folder = tmp_path / "photos"
    for (name, make), face in zip(PHOTOGRAPHS.items(), people, strict=False):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(photograph(face)))
    film = struct.pack(">I4s4sI", 16, b"ftyp", b"qt  ", 0) + struct.pack(">I4s", 8, b"mdat")
    (folder / "iphone" / "IMG_0001.MOV").write_bytes(film)
    (folder / "iphone" / "IMG_0001.AAE").write_text("<?xml version='1.0'?><plist/>")
    return folder


@pytest.mark.slow
def test_phones_and_a_scanner_through_extract_and_train(
    folder: Path, people: RGB, tmp_path: Path
) -> None:
    out = tmp_path / "faces"
    found = ffgan.extract(folder, out, format="png", framing="training", size=162)
    assert (found.photos, found.broken, found.found, found.kept) == (7, 0, 7, 7), found
    assert found.colours == {"converted": 3}
    assert "1 film" in found.summary
    assert {row["photo"] for row in rows(out)} == set(PHOTOGRAPHS)

    # The same photographs as a camera would have written them in sRGB, upright, without loss.
    plain, expected = tmp_path / "plain", tmp_path / "expected"
    for name, face in zip(PHOTOGRAPHS, people, strict=False):
        path = plain / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode(photograph(face), "png"))
    ffgan.extract(plain, expected, format="png", framing="training", size=162)
    for name in PHOTOGRAPHS:
        ours = images.decode((out / chip_name(name, 0, "png")).read_bytes()).astype(float)
        theirs = images.decode((expected / chip_name(f"{name}.png", 0, "png")).read_bytes())
        assert np.abs(ours.mean(axis=(0, 1)) - theirs.mean(axis=(0, 1))).max() < 1, name
        # What an encoder loses moves landmarks by a pixel or two; another face is 30 away.
        assert np.abs(ours - theirs).mean() < 12, name

    # Converting is what makes them right: paler without it.
    ignored = ffgan.extract(
        folder, tmp_path / "as-stored", format="png", framing="training", size=162, colour="ignore"
    )
    assert ignored.colours == {"ignored": 3}
    for name in ("iphone/IMG_0001.HEIC", "iphone/IMG_0003.JPG", "scanner/scan0001.tif"):
        chip = chip_name(name, 0, "png")
        stale = images.decode((tmp_path / "as-stored" / chip).read_bytes())
        right = images.decode((out / chip).read_bytes())
        assert np.ptp(right, axis=2).mean() > 1.05 * np.ptp(stale, axis=2).mean(), name

    again = ffgan.extract(
        folder, tmp_path / "as-stored", format="png", framing="training", size=162
    )
    assert again.looked_at == 0  # what was begun without colours goes on without them

    run = {"recipe": "original", "init": "scratch", "batch": 2, "steps": 2, "sample_every": 2}
    ffgan.train(folder, runs=tmp_path / "runs", **run)
    assert (tmp_path / "runs" / "photos" / "model.safetensors").exists()
    with Dataset(folder) as data:
        assert len(data) == 7
        for index in range(7):
            data.image(index)
        assert "3 images in another colour space, converted to sRGB" in data.summary
