#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# LittleCMS 2.19, as Pillow 13.0.0's ImageCms has it, converts 8-bit CIE L*a*b* to sRGB through a
# grid of a few points per axis, which it puts in the place of the exact steps ("optimisation", on
# by default). The grid follows the cube root of L*a*b* badly: some colours that sRGB holds come out
# wrong by tens of levels of 255. One would guess that a colour management library is exact where
# the formula is (CIE 15), or errs by a level or two. With the flag NOOPTIMIZE it is within one level.
# So Lab TIFFs, which Photoshop writes, need that flag.
#
# Seen, over a cube of 32x32x32 Lab colours of which 4,374 lie within sRGB: largest error 32.3 by
# default, 0.8 with NOOPTIMIZE; mean 0.57 and 0.25. Fails when that changes.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy
"$folder/venv/bin/python" - <<'END'
import numpy as np
import PIL
from PIL import Image, ImageCms, features

print(f"Pillow {PIL.__version__}, LittleCMS {features.version('littlecms2')}")

axis = np.linspace(0, 255, 32).round().astype(np.uint8)
stored = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(32, -1, 3)

# CIE 15: L*a*b* to XYZ under D50; then sRGB (IEC 61966-2-1), its primaries adapted to D50.
lightness = stored[..., 0] * (100 / 255)
a, b = (stored[..., i].astype(np.int8).astype(float) for i in (1, 2))
y = (lightness + 16) / 116
roots = np.stack([y + a / 500, y, y - b / 200], -1)
knee = 6 / 29
xyz = np.where(roots > knee, roots**3, 3 * knee**2 * (roots - 4 / 29)) * [0.9642, 1.0, 0.8249]
to_xyz = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
light = xyz @ np.linalg.inv(to_xyz).T
inside = ((light >= 0) & (light <= 1)).all(-1)
curved = 1.055 * np.clip(light, 0, None) ** (1 / 2.4) - 0.055
right = 255 * np.where(light <= 0.0031308, 12.92 * light, curved)

picture = Image.frombytes("LAB", stored.shape[1::-1], stored.tobytes())
largest = {}
for name in ("NONE", "NOOPTIMIZE"):
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"),
        ImageCms.createProfile("sRGB"),
        "LAB",
        "RGB",
        flags=ImageCms.Flags[name],
    )
    error = np.abs(np.asarray(ImageCms.applyTransform(picture, transform)) - right)[inside]
    largest[name] = error.max()
    print(f"flags {name}: largest error {error.max():.1f} of 255, mean {error.mean():.2f}, "
          f"{inside.sum():,} colours")
assert largest["NONE"] > 16, "LittleCMS is closer now"
assert largest["NOOPTIMIZE"] < 1.5, "LittleCMS is not exact without its grid, either"
END
