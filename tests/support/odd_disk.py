# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems that lack calls: libc's functions are replaced in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

# Fails as the environment says: FLOCK=38 for flock, FSYNC_FOLDER=22 for fsync of a folder and
# FSYNC_FILE for that of a file.
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(const char *name) {
    const char *text = getenv(name);
    if (!text || !atoi(text)) return 0;
    errno = atoi(text);
    return 1;
}

int flock(int descriptor, int operation) {
    if (fails("FLOCK")) return -1;
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(descriptor, operation);
}

int fsync(int descriptor) {
    struct stat status;
    const char *name = "FSYNC_FILE";
    if (!fstat(descriptor, &status) && S_ISDIR(status.st_mode)) name = "FSYNC_FOLDER";
    if (fails(name)) return -1;
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}
"""


def without_calls(
    folder: Path, failing: Mapping[str, int], *command: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with ``command`` where the calls named fail with these numbers.

    Skips where no C compiler is installed.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("replacing libc's functions takes Linux and a C compiler")
    library = folder / "calls.so"
    if not library.exists():
        source = folder / "calls.c"
        source.write_text(SOURCE)
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
        )
    variables = {name: str(number) for name, number in failing.items()}
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"LD_PRELOAD": str(library)} | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
    )
