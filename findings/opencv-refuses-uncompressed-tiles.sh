#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# OpenCV 5.0.0's wheel does not read uncompressed RGB TIFFs in tiles of 16x16 or 48x48 pixels: its
# libtiff takes the bytes of a tile (768, 6,912) rounded up to a multiple of 1,024 for what the file
# says. Tiles of 32x32 and 64x64 have such multiples and are read, and so is every size once it is
# compressed. TIFF 6.0 (section 15) allows any multiple of 16, and Pillow 13.0.0, which reads
# uncompressed tiles without libtiff, reads them all. One would guess that leaving out the
# compression is the safe choice.
#
# Seen: imdecode returns None for uncompressed tiles of 16 and 48 ("Invalid tile byte count for tile
# 0. Expected 768, got 1024" in its log), and the picture for all others. Fails when that changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 pillow==13.0.0 tifffile==2026.3.3 numpy
OPENCV_LOG_LEVEL=OFF "$folder/venv/bin/python" - <<'END'
import io

import cv2
import numpy as np
import PIL
import tifffile
from PIL import Image

print(f"OpenCV {cv2.__version__}, Pillow {PIL.__version__}, tifffile {tifffile.__version__}")
picture = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
for compression in (None, "zlib"):
    for side in (16, 32, 48, 64):
        file = io.BytesIO()
        tifffile.imwrite(
            file, picture, tile=(side, side), photometric="rgb", compression=compression
        )
        data = file.getvalue()
        if compression is None:
            page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
            assert set(page.databytecounts) == {3 * side * side}
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        read = found is not None and np.array_equal(found[..., ::-1], picture)
        print(f"{compression or 'uncompressed'} tiles of {side}x{side}: Pillow reads them, OpenCV "
              f"{'too' if read else 'does not'}")
        assert read == (compression is not None or 3 * side * side % 1024 == 0)
END
