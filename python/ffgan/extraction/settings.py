# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of `extract`."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Final, Literal, TypeAlias

from pydantic import model_validator

from ffgan.dataset import printable
from ffgan.faces import Detector
from ffgan.faces.alignment import DLIB_PADDING, Framing, check
from ffgan.faces.orientation import Rotate
from ffgan.images import DEFAULT_QUALITY, Colour
from ffgan.settings import BaseSettings, LocalPathText, setting

Duplicates: TypeAlias = Literal["hash", "embedding", "keep"]

FIND: Final = "detection"
CUT: Final = "alignment and cropping"
CHOOSE: Final = "rejection"
OUTPUT: Final = "output"
FILES: Final = "model files of dlib (trusted sources only)"
OF_THE_EXTRA: Final = "that of the extra 'faces'"


class Settings(BaseSettings):
    """How `extract` works; docs/extract.md shows what the default thresholds let through.

    The mark ``selects``: the setting decides which of the detected faces are kept. Raises
    `UsageError`.
    """

    command: ClassVar[str] = "ffgan extract"

    detector: Detector = setting(
        "hog",
        help="hog: dlib's frontal detector; cnn: dlib's network, for hard photographs, several "
        "times as slow",
        group=FIND,
        common=True,
    )
    upsample: int = setting(
        0,
        ge=0,
        le=4,
        help="0 finds faces of 80 pixels and more, 1 of 40, 2 of 20; each at four times the work",
        group=FIND,
        metavar="N",
        common=True,
    )
    confidence: float = setting(
        0.0,
        ge=-10,
        le=10,
        help="least score of the detector; below 0 more faces, and more false ones",
        group=FIND,
        metavar="X",
    )
    rotate: Rotate = setting(
        "auto",
        help="quarter turns for faces that lie on their side: auto tries them where nothing is "
        "found, always in every photograph, at four times the work; never leaves such faces out",
        group=FIND,
        common=True,
    )
    framing: Framing = setting(
        "dlib",
        help="dlib: as its get_face_chip_details; training: as the faces that the packaged model "
        "was trained on",
        group=CUT,
        common=True,
    )
    size: int | None = setting(
        None,
        ge=16,
        le=4096,
        help="side of a face's image",
        group=CUT,
        metavar="PIXELS",
        absent="200 with dlib, 162 with training",
        common=True,
    )
    padding: float | None = setting(
        None,
        ge=0,
        le=10,
        help="added around the face on each side, as a share of the face; for dlib only",
        group=CUT,
        metavar="SHARE",
        absent=f"{DLIB_PADDING}",
    )
    colour: Colour | None = setting(
        None,
        help="convert: photographs in another colour space become sRGB; ignore: their numbers are "
        "taken as they are",
        group=CUT,
        absent="as in an earlier run to OUT, else convert",
    )
    format: Literal["jpg", "png"] = setting("jpg", help="file format", group=CUT, common=True)
    quality: int = setting(
        DEFAULT_QUALITY, ge=1, le=100, help="of jpg", group=CUT, metavar="1..100"
    )
    min_size: float | None = setting(
        None,
        ge=0,
        le=100_000,
        help="too small: side of the cropped square in the photograph",
        group=CHOOSE,
        metavar="PIXELS",
        absent="half of --size",
        common=True,
        selects=True,
    )
    max_outside: float = setting(
        0.01,
        ge=0,
        le=1,
        help="cut by the border: share of the crop beyond the photograph",
        group=CHOOSE,
        metavar="SHARE",
        selects=True,
    )
    max_yaw: float = setting(
        35.0,
        ge=0,
        le=90,
        help="turned away: to the left or right",
        group=CHOOSE,
        metavar="DEGREES",
        common=True,
        selects=True,
    )
    max_pitch: float = setting(
        30.0,
        ge=0,
        le=90,
        help="turned away: up or down",
        group=CHOOSE,
        metavar="DEGREES",
        selects=True,
    )
    min_sharpness: float = setting(
        1.3,
        ge=0,
        le=10,
        help="blurred: 2.1 and more is sharp, 1.3 and less blurred",
        group=CHOOSE,
        metavar="X",
        common=True,
        selects=True,
    )
    min_light: float = setting(
        50.0,
        ge=0,
        le=255,
        help="badly lit: mean brightness, of 255",
        group=CHOOSE,
        metavar="LEVEL",
        selects=True,
    )
    max_light: float = setting(
        215.0,
        ge=0,
        le=255,
        help="badly lit: mean brightness, of 255",
        group=CHOOSE,
        metavar="LEVEL",
        selects=True,
    )
    min_contrast: float = setting(
        12.0,
        ge=0,
        le=128,
        help="badly lit: standard deviation of the brightness, of 255",
        group=CHOOSE,
        metavar="LEVELS",
        selects=True,
    )
    grey: bool = setting(
        True, help="keep faces without colour", group=CHOOSE, common=True, selects=True
    )
    duplicates: Duplicates = setting(
        "hash",
        help="how near-duplicates of a face are recognised: by a perceptual hash, by an "
        "embedding; keep: all of them are kept",
        group=CHOOSE,
        common=True,
        selects=True,
    )
    per_identity: int | None = setting(
        None,
        ge=1,
        le=1_000_000_000,
        help="most faces of one person, those with the most detail",
        group=CHOOSE,
        metavar="N",
        absent="any number",
        common=True,
        selects=True,
    )
    embeddings: bool = setting(
        False,
        help="store embeddings, which identify people, as embeddings.npy",
        group=OUTPUT,
        common=True,
        selects=True,
    )
    sheet: int = setting(
        48,
        ge=0,
        le=1000,
        help="faces of each kind on the contact sheet; 0: no sheet",
        group=OUTPUT,
        metavar="N",
    )
    landmarks: LocalPathText | None = setting(
        None,
        help="shape predictor, of 68 points for the framing training",
        group=FILES,
        metavar="FILE",
        absent=OF_THE_EXTRA,
    )
    recognition: LocalPathText | None = setting(
        None,
        help="face recognition network",
        group=FILES,
        metavar="FILE",
        absent=OF_THE_EXTRA,
    )
    detector_file: LocalPathText | None = setting(
        None,
        help="network of --detector cnn",
        group=FILES,
        metavar="FILE",
        absent=OF_THE_EXTRA,
    )
    threads: int | None = setting(
        None,
        ge=1,
        le=1024,
        help="photographs at a time, and threads of the engine",
        group="speed",
        metavar="N",
        absent="FFGAN_NUM_THREADS, OMP_NUM_THREADS, else one per core",
    )

    @model_validator(mode="after")
    def _check_chips(self) -> Settings:
        check(self.framing, self.size, self.padding)
        return self

    @property
    def chips(self) -> tuple[Framing, int, float]:
        """The framing, size and padding of the chips, with what was not given filled in."""
        return check(self.framing, self.size, self.padding)

    @property
    def least_size(self) -> float:
        """The smallest side of the square that is cut out, in pixels of the photograph."""
        return self.chips[1] / 2 if self.min_size is None else self.min_size

    @property
    def embeds(self) -> bool:
        """Whether embeddings are needed."""
        return self.embeddings or self.per_identity is not None or self.duplicates == "embedding"

    def selection(self) -> dict[str, Any]:
        """What the result depends on beyond `detection`, as JSON's types, for the journal."""
        return {
            **{name: getattr(self, name) for name in self.names(selects=True)},
            "recognition": _shown(self.recognition),
            "sheet": self.sheet,
        }

    def detection(self) -> dict[str, Any]:
        """What a photograph must have been processed with to be skipped, as JSON's types."""
        points = 68 if self.chips[0] == "training" else 5
        return {
            "detector": self.detector,
            "upsample": self.upsample,
            "confidence": self.confidence,
            "rotate": self.rotate,
            "detector_file": _shown(self.detector_file),
            "landmarks": _shown(self.landmarks) or points,
            "framing": list(self.chips),
            "format": self.format,
            "quality": self.quality if self.format == "jpg" else None,
            # Journals of earlier versions, which ignored colours, do not say so.
            **({} if self.colour == "ignore" else {"colour": "convert"}),
        }


def _shown(file: str | None) -> str | None:
    return None if file is None else printable(os.fsencode(os.path.abspath(file)))
