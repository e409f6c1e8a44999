#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Pillow 13.0.0 writes CMYK JPEGs with 4:2:0 or 4:2:2 sampling in which black, too, has half the
# resolution (sampling factors 2x2 1x1 1x1 1x1). libjpeg and OpenCV 5.0.0 read them, but simplejpeg
# 1.9.0 refuses them, strict or not: its TurboJPEG API has names for a few samplings only, and in
# none of them black is subsampled. All three bundle libjpeg-turbo, so one would guess that they
# read the same files. Without subsampling, Pillow's default for CMYK, simplejpeg reads them.
#
# Seen: "Could not determine subsampling level of JPEG image" for both samplings, 64x64 pixels from
# the two others. Fails when that changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 simplejpeg==1.9.0 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'END'
import io

import cv2
import numpy as np
import PIL
import simplejpeg
from PIL import Image

print(f"Pillow {PIL.__version__}, simplejpeg {simplejpeg.__version__}, OpenCV {cv2.__version__}")
ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
inks = Image.merge("CMYK", [Image.fromarray(ink) for ink in (ramp, ramp // 2, 255 - ramp, ramp // 4)])
for sampling, factors, readable in (
    ("4:4:4", [0x11, 0x11, 0x11, 0x11], True),
    ("4:2:2", [0x21, 0x11, 0x11, 0x11], False),
    ("4:2:0", [0x22, 0x11, 0x11, 0x11], False),
):
    file = io.BytesIO()
    inks.save(file, "JPEG", quality=90, subsampling=sampling)
    data = file.getvalue()
    frame = data.index(b"\xff\xc0")
    found = [data[frame + 11 + 3 * component] for component in range(data[frame + 9])]
    assert found == factors, found
    with Image.open(io.BytesIO(data)) as image:
        assert image.convert("RGB").size == (64, 64)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (64, 64, 3)
    for strict in (True, False):
        try:
            shape = simplejpeg.decode_jpeg(data, "CMYK", strict=strict).shape
        except ValueError as error:
            said = str(error)
        else:
            said = f"{shape[1]}x{shape[0]} pixels"
        print(f"{sampling} strict={strict}: Pillow and OpenCV 64x64 pixels, simplejpeg: {said}")
        expected = "64x64 pixels" if readable else "Could not determine subsampling level"
        assert expected in said, "simplejpeg behaves otherwise now"
END
