# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the synthetic faces that the packaged model is trained on: no photograph, no real person.

The faces come from MobileStyleGAN (Belousov 2021, arXiv 2104.04767) as the PyPI package random-face
2021.7.21.1 ships it (Apache 2.0). That network was distilled from a StyleGAN2 trained on FFHQ, both
for non-commercial use. It draws 1024x1024 from the wavelet bands of a 512x512 image; we stop at
those bands, whose first three channels are the smaller image. Each seed is one face, so a folder
can be filled in parts and by several processes: about half a second of one core a face.
A seed's face is the same on other processors, but for a level here and there: OpenVINO computes in
float32, though in bfloat16 by default where a processor has it, which is some way off.

    pip install numpy opencv-python-headless openvino
    pip install --no-deps random-face==2021.7.21.1
    python tools/synthesize_faces.py DIR --first 0 --count 6000 --codes codes.npz

With --codes it also writes the style of every face in the folder, 512 numbers of which a training
run can make its codes: `python -m ffgan train DIR --codes codes.npz`.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

SIZE = 162
CROP = slice(102, 470), slice(72, 440)  # of 512x512: the face with little around it
JPEG_QUALITY = 93
STYLES_OF_THE_MEAN = 2000, 12345  # how many, and the seed
BANDS = "Add_754"  # the operation before the last inverse wavelet step
ONE_CORE = {
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,
    "INFERENCE_PRECISION_HINT": "f32",
}


class Synthesis:
    """MobileStyleGAN: from 512 values of noise to a style, from a style to a face."""

    def __init__(self, psi: float) -> None:
        import openvino

        package = find_spec("random_face")
        if package is None or package.origin is None:
            raise SystemExit(
                "random-face is missing: pip install --no-deps random-face==2021.7.21.1"
            )
        networks = Path(package.origin).parent / "data"
        core = openvino.Core()
        self.psi = psi
        self.mapping = core.compile_model(networks / "MappingNetwork.xml", "CPU", ONE_CORE)
        whole = core.read_model(networks / "SynthesisNetwork.xml")
        [bands] = [op for op in whole.get_ordered_ops() if op.get_friendly_name() == BANDS]
        half = openvino.Model([bands.output(0)], whole.get_parameters(), "half")
        self.synthesis = core.compile_model(half, "CPU", ONE_CORE)
        count, seed = STYLES_OF_THE_MEAN
        random = np.random.default_rng(seed)
        self.mean = np.mean([self.style(random) for _ in range(count)], axis=0)

    def style(self, random: np.random.Generator) -> np.ndarray:
        """Return the style of the next 512 values of noise."""
        return np.asarray(self.mapping(random.standard_normal((1, 512)).astype(np.float32))[0])

    def truncated(self, seed: int) -> np.ndarray:
        """Return the style of ``seed``, (1, 512), nearer to the mean by ``psi``."""
        return self.mean + self.psi * (self.style(np.random.default_rng(seed)) - self.mean)

    def face(self, seed: int) -> np.ndarray:
        """Return the face of ``seed``: (162, 162, 3) uint8 RGB."""
        bands = self.synthesis(self.truncated(seed))[0][0]
        image = np.clip((bands[:3] / 2 + 1) * 127.5, 0, 255).transpose(1, 2, 0)[CROP]
        small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return small.round().astype(np.uint8)


def main() -> None:
    """Fill the folder; what is there already stays."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0, help="seed of the first face")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--psi", type=float, default=0.7, help="0: the mean face, 1: all variety")
    parser.add_argument("--codes", type=Path, help="file for the styles of all faces in the folder")
    options = parser.parse_args()

    synthesis = Synthesis(options.psi)
    options.folder.mkdir(parents=True, exist_ok=True)
    for done, seed in enumerate(range(options.first, options.first + options.count), start=1):
        path = options.folder / f"{seed:06d}.jpg"
        if not path.exists():
            bgr = np.ascontiguousarray(synthesis.face(seed)[:, :, ::-1])
            if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
                raise SystemExit(f"{path} cannot be written")
        if done % 100 == 0:
            print(f"{done} of {options.count}", file=sys.stderr, flush=True)
    if options.codes is not None:
        names = sorted(path.name for path in options.folder.glob("*.jpg") if path.stem.isdigit())
        styles = [synthesis.truncated(int(Path(name).stem)) for name in names]
        np.savez(options.codes, names=np.array(names), codes=np.concatenate(styles))


if __name__ == "__main__":
    main()
