# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what wheels hold and what they ask of a machine, and lists both.

    python tools/check_wheel.py WHEEL...

Needs pyelftools, which comes with auditwheel.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

REPOSITORY = Path(__file__).resolve().parent.parent
MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
LIBRARIES = re.compile(r"lib(scipy_openblas|stdc\+\+|gcc_s|m|c|dl|pthread|rt)\.so[.\d]*|ld-linux.*")
BLAS_PATH = "$ORIGIN/../scipy_openblas32/lib"


def expected() -> set[str]:
    """The files of the package: those of the repository, and what the build adds to them."""
    listed = subprocess.run(
        ["git", "ls-files", "python/ffgan", "weights"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    files = {name.removeprefix("python/") for name in listed if name.startswith("python/")}
    files |= {
        f"ffgan/{name}"
        for name in listed
        if name.endswith(".safetensors") or name == "weights/README.md"
    }
    networks = (REPOSITORY / "python/ffgan/attributes/networks.py").read_text(encoding="utf-8")
    onnx = re.findall(r'^    "([a-z0-9-]+\.onnx)",$', networks, re.MULTILINE)
    return files | {f"ffgan/weights/{name}" for name in onnx} | {"ffgan/_build.py"}


def versions(elf: ELFFile) -> dict[str, str]:
    """The newest version of each library's symbols that the extension uses."""
    newest: dict[str, str] = {}
    for section in elf.iter_sections():
        if not isinstance(section, GNUVerNeedSection):
            continue
        for _, symbols in section.iter_versions():
            for symbol in symbols:
                family, _, version = symbol.name.partition("_")
                key = [int(part) for part in version.split(".")]
                if [int(part) for part in newest.get(family, "0").split(".")] < key:
                    newest[family] = version
    return newest


def problems(name: str, wheel: zipfile.ZipFile) -> Iterator[str]:
    """What is wrong with a wheel, a line each; prints what it is."""
    files = {entry.filename for entry in wheel.infolist() if not entry.is_dir()}
    extensions = {file for file in files if re.fullmatch(r"ffgan/_core\..*\.so", file)}
    metadata = {file for file in files if re.match(r"ffgan-[^/]*\.dist-info/", file)}
    yield from (f"lacks {file}" for file in sorted(expected() - files))
    yield from (f"holds {file}" for file in sorted(files - expected() - extensions - metadata))
    if not any(file.endswith("/licenses/LICENSE") for file in metadata):
        yield "lacks the licence"
    if len(extensions) != 1:
        yield f"holds {len(extensions)} extensions"
        return

    extension = extensions.pop()
    elf = ELFFile(io.BytesIO(wheel.read(extension)))
    machine = next(key for key in MACHINES if name.endswith(f"_{key}.whl"))
    if elf["e_machine"] != MACHINES[machine]:
        yield f"its extension is for {elf['e_machine']}"
    python = name.split("-")[2].removeprefix("cp")
    if extension != f"ffgan/_core.cpython-{python}-{machine}-linux-gnu.so":
        yield f"its Python would not look for {extension}"
    dynamic = elf.get_section_by_name(".dynamic")
    assert isinstance(dynamic, DynamicSection)
    needed = [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]
    yield from (f"needs {library}" for library in needed if not LIBRARIES.fullmatch(library))
    paths = [
        path
        for tag in dynamic.iter_tags()
        if tag.entry.d_tag in ("DT_RUNPATH", "DT_RPATH")
        for path in (tag.runpath if tag.entry.d_tag == "DT_RUNPATH" else tag.rpath).split(":")
    ]
    if BLAS_PATH not in paths or any(not path.startswith("$ORIGIN/") for path in paths):
        yield f"looks for libraries in {paths}"
    newest = ", ".join(f"{key} {value}" for key, value in sorted(versions(elf).items()))
    print(f"  {', '.join(needed)}; symbols of {newest}")


def main() -> int:
    """Checks the wheels named on the command line; 1 if there is something wrong with one."""
    failed = False
    for path in map(Path, sys.argv[1:]):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        with zipfile.ZipFile(path) as wheel:
            largest = sorted(wheel.infolist(), key=lambda entry: -entry.compress_size)[:5]
            for entry in largest:
                print(f"  {entry.compress_size / 1e6:6.2f} MB {entry.filename}")
            for problem in problems(path.name, wheel):
                print(f"  WRONG: {problem}")
                failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
