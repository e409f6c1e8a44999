# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ffgan import _build, _cpu

OLD_PROCESSOR = "processor\t: 0\nmodel name\t: Old\nflags\t\t: fpu sse2 ssse3 avx\nbugs\t\t:\n"


@pytest.fixture
def old_cpuinfo(tmp_path: Path) -> Path:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(OLD_PROCESSOR)
    return cpuinfo


def test_missing_instructions_are_named(old_cpuinfo: Path) -> None:
    with pytest.raises(ImportError) as error:
        _cpu.check(["ssse3", "avx2", "fma"], "x86-64-v3", old_cpuinfo)
    assert "lacks avx2, fma" in str(error.value)
    assert "x86-64-v3" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sufficient_processor_passes(old_cpuinfo: Path) -> None:
    _cpu.check(["ssse3", "avx"], "x86-64-v2", old_cpuinfo)


def test_the_processor_itself_is_asked_too(
    old_cpuinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulated one: the system's list is that of the machine underneath."""
    monkeypatch.setattr(_cpu, "denied_flags", lambda: {"avx", "fma"})
    with pytest.raises(ImportError, match=r"lacks avx\b(?!,)"):
        _cpu.check(["ssse3", "avx"], "x86-64-v2", old_cpuinfo)


def test_this_processor_denies_nothing_that_the_system_lists() -> None:
    listed = next(
        (line for line in _cpu.CPUINFO.read_text().splitlines() if line.startswith("flags")), ""
    )
    if not listed:
        pytest.skip(f"{_cpu.CPUINFO} lists no flags")
    assert _cpu.denied_flags() == set(_cpu.BITS) - set(listed.split())


@pytest.mark.parametrize("content", [None, "", "processor : 0\nFeatures : fp asimd\n"])
def test_a_system_that_does_not_tell_is_not_refused(tmp_path: Path, content: str | None) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if content is not None:
        cpuinfo.write_text(content)
    _cpu.check(["avx2"], "x86-64-v3", cpuinfo)


def test_the_processor_that_runs_the_tests_passes() -> None:
    _cpu.check(_build.CPU_FLAGS, _build.ARCH)


def test_import_refuses_before_the_extension_is_loaded() -> None:
    script = (
        "import sys, types\n"
        "build = types.ModuleType('ffgan._build')\n"
        "build.ARCH, build.CPU_FLAGS = 'the future', ('no_such_instruction',)\n"
        "sys.modules['ffgan._build'] = build\n"
        "try:\n"
        "    import ffgan\n"
        "except ImportError as error:\n"
        "    print('ffgan._core' in sys.modules, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("False ")
    assert "no_such_instruction" in run.stdout
