# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m benchmarks`: what it says, when it refuses, and that it runs."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks is not installed

from benchmarks import __main__, engines  # noqa: E402
from benchmarks.errors import BenchmarkError, BusyError  # noqa: E402
from benchmarks.measure import (  # noqa: E402
    agreement,
    busy,
    dlib_program,
    folding,
    many_files,
    workload,
)
from benchmarks.output import rows, table  # noqa: E402
from benchmarks.output.results import Result, RowResult  # noqa: E402
from benchmarks.output.summary import Summary  # noqa: E402
from rich.console import Console  # noqa: E402

from ffgan.wording import counted  # noqa: E402

MACS = {
    "generator": {"all": 400, "first": 1},
    "program": {"all": 300, "first": 20},
}


def a_row(problem: str | None = None, absent: str | None = None) -> RowResult:
    """ffgan takes 5 ms, PyTorch 10 ms, for 1 GFLOP, where a product reaches 160 GFLOP/s."""
    (row,) = rows.choose(rows.all_rows(), ["generator-8"])
    results = [
        Result("ffgan", "ffgan", Summary.of([5.0, 4.0, 6.0])),
        Result("pytorch", "PyTorch", Summary.of([10.0])),
        Result("openvino", "OpenVINO", problem=problem, absent=absent),
    ]
    return RowResult(row, results, flop=1e9, sgemm=160.0)


def a_document(most: float = 0.0) -> dict[str, Any]:
    return {
        "machine": {"processor": "A Processor", "usable_cores": 2, "instructions": ["avx2"]},
        "ffgan": {"engine": {"instructions": "AVX2"}},
        "threads": 2,
        "date": "2024-01-02",
        "versions": {"torch": "2"},
        "load": {"busy": most > busy.LIMIT, "before": {"others": 0.0}, "most": most},
    }


def test_a_summary_is_the_median_and_the_percentiles() -> None:
    summary = Summary.of([float(value) for value in range(11)])
    assert (summary.median, summary.p10, summary.p90) == (5.0, 1.0, 9.0)
    assert summary.samples == 11
    assert summary.scaled(2).p90 == 18.0


def test_ratios_speeds_and_shares() -> None:
    found = a_row(problem="broken")
    ours, theirs, broken = found.results
    assert found.ratio(ours) is None
    assert found.ratio(theirs) == 0.5
    assert found.ratio(broken) is None
    assert found.gflops(ours) == pytest.approx(200)
    assert found.share(ours) == pytest.approx(1.25)  # a faster algorithm may exceed the peak


def test_the_operations_of_a_step_are_those_that_it_needs() -> None:
    # D three ways on real images and fakes, without the images' gradient; D two ways for G; G.
    expected = 2 * (3 * 300 - 20) + 2 * 300 + 3 * 400 - 1
    assert rows.Task("train", "program", 8).flop(MACS) == 2 * expected
    assert rows.Task("discriminator", "program", 8).flop(MACS) == 2 * 300


def test_the_tables_name_every_engine_and_its_numbers() -> None:
    found = a_row(absent="not installed (openvino): pip install '.[bench]'")
    text = table.markdown([found], a_document())
    assert "| Generator, inference, batch 8 | ms per face |" in text
    assert "| **ffgan** | **5.00** | **4.20 to 5.80** |  | **200** | **125%** |" in text
    assert "| PyTorch | 10.0 | 10.0 to 10.0 | 0.50 | 100 | 62% |" in text
    assert "| OpenVINO | not installed (openvino): pip install '.[bench]' |" in text
    assert "BUSY" not in text
    screen = io.StringIO()
    table.show([found], a_document(), Console(file=screen, width=100))
    assert "OpenVINO: not installed (openvino): pip install '.[bench]'" in screen.getvalue()
    assert "A Processor (avx2)" in screen.getvalue()
    assert "ffgan's instruction set AVX2" in " ".join(screen.getvalue().split())


def test_a_table_of_a_busy_machine_says_so() -> None:
    assert "BUSY MACHINE" in table.markdown([a_row()], a_document(most=1.5))


def test_rows_and_engines_are_chosen_by_name() -> None:
    names = [row.name for row in rows.choose(rows.all_rows(), ["process", "generator"])]
    assert names == ["generator-1", "generator-8", "generator-64", "process"]
    assert [engine.name for engine in engines.choose(["openvino"])] == ["ffgan", "openvino"]
    with pytest.raises(BenchmarkError, match="no row 'nothing': choose from generator-1"):
        rows.choose(rows.all_rows(), ["nothing"])
    with pytest.raises(BenchmarkError, match="no engine 'nothing': choose from ffgan"):
        engines.choose(["nothing"])


def test_a_missing_peer_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name)
    )
    assert engines.find("openvino").missing() == (
        "not installed (openvino): pip install '.[bench]'"
    )
    options = SimpleNamespace(quick=True, dlib_source=None)
    chosen = engines.choose(["openvino", "pytorch-compile", "ffgan-bf16"])
    reasons = __main__.exclusions(chosen, False, options)  # type: ignore[arg-type]
    assert "openvino" in reasons
    assert "pytorch-compile" in reasons
    assert "bf16" in reasons["ffgan-bf16"] or "float32" in reasons["ffgan-bf16"]
    assert "ffgan" not in reasons


def test_dlib_that_is_not_there_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"not built: .*nothing is not there.*--dlib-source"):
        dlib_program.program(tmp_path / "nothing", compile_it=True)


def test_an_earlier_build_is_a_folder_with_its_extension(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"--against .*: there is no ffgan/_core\*\.so in it"):
        __main__.earlier_build(tmp_path)
    package = tmp_path / "python" / "ffgan"
    package.mkdir(parents=True)
    (package / "_core.so").touch()
    assert __main__.earlier_build(tmp_path) == tmp_path / "python"
    assert __main__.earlier_build(tmp_path / "python") == tmp_path / "python"


def test_bf16_is_compared_with_a_bound_of_its_own() -> None:
    ours = np.array([10.0, -20.0])
    assert agreement.difference("discriminator", ours, ours + 0.5, False, "bf16") < 0.03
    with pytest.raises(BenchmarkError, match="computes something else"):
        agreement.difference("discriminator", ours, ours + 0.5, False)
    with pytest.raises(BenchmarkError, match="computes something else"):
        agreement.difference("discriminator", ours, ours + 5, False, "bf16")


def test_the_draws_of_a_command_are_read_from_what_it_prints() -> None:
    for count in (1, 999, 2620):
        told = f"{counted(7, 'face')}, {counted(count, 'try', 'tries')}, 6.4 s, from seed 7: x"
        assert many_files.draws_told(told) == count


def test_own_work_is_no_load() -> None:
    before = busy.Snapshot.take()
    work = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    assert busy.Snapshot.take().own()[1] - before.own()[1] > 0.2


def test_a_guard_repeats_busy_rounds_and_then_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [busy.Load(0.0, 0.0), *[busy.Load(1.2, 0.1, (("cc1plus (7)", 1.1),))] * 3]
    monkeypatch.setattr(busy.Snapshot, "load_since", lambda *_: loads.pop(0))

    def next_round(guard: busy.Guard) -> bool:
        guard.begin_round()
        return guard.accept_round()

    guard = busy.Guard(force=False)
    assert next_round(guard)
    assert not next_round(guard)
    assert not next_round(guard)
    with pytest.raises(BusyError, match=r"1\.20 of .*cc1plus \(7\) 1\.10.*--even-if") as refusal:
        next_round(guard)
    assert "\n" not in str(refusal.value)
    assert not guard.busy

    loads.append(busy.Load(1.2, 0.1))
    forced = busy.Guard(force=True)
    assert next_round(forced)
    assert forced.as_json()["busy"]


def test_an_engine_that_computes_something_else_is_an_error() -> None:
    ours = np.array([10.0, -20.0])
    assert agreement.difference("discriminator", ours, ours + 1e-3, False) < 1e-4
    with pytest.raises(BenchmarkError, match="computes something else"):
        agreement.difference("discriminator", ours, ours + 0.1, False)
    with pytest.raises(BenchmarkError, match="computes something else"):
        agreement.difference("generator", ours, ours * np.nan, False)
    with pytest.raises(BenchmarkError, match="its output is"):
        agreement.difference("generator", ours, ours[:1], False)


@pytest.mark.parametrize("network", ["program", "table"])
def test_folding_leaves_out_the_norms(tmp_path: Path, network: str) -> None:
    """Each norm is gone; an addition stays only where `table` pads behind one."""
    workload.write(tmp_path)
    parameters = workload.parameters(tmp_path, network)
    layers, fc = folding.discriminator(network, parameters, 0.5)
    shifted = [i for i, layer in enumerate(layers, start=1) if layer.shift is not None]
    assert shifted == ([1, 3, 4, 5] if network == "table" else [])
    assert fc.weight.shape == parameters["fc.weight"].shape
    assert fc.weight.dtype == np.float32


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_one_row_of_ffgan_alone(tmp_path: Path) -> None:
    file, markdown = tmp_path / "result.json", tmp_path / "result.md"
    done = run(
        "--quick",
        "--even-if-busy",
        "--engines=ffgan",
        "--rows=generator-1",
        f"--json={file}",
        f"--markdown={markdown}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(file.read_text(encoding="utf-8"))
    (row,) = document["rows"]
    (result,) = row["results"]
    assert row["name"] == "generator-1"
    assert row["sgemm_gflops"] > 0
    assert result["engine"] == "ffgan"
    assert 0 < result["summary"]["p10"] <= result["summary"]["median"]
    assert document["load"]["forced"]
    assert "| **ffgan** |" in markdown.read_text(encoding="utf-8")
    assert "Generator, inference, batch 1" in done.stdout


def test_a_wrong_name_is_one_line() -> None:
    done = run("--rows=nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: there is no row 'nothing': choose from")
    assert done.stderr.count("\n") == 1


def test_without_ffgan_the_way_out_is_named(tmp_path: Path) -> None:
    # Before the finder of an editable install, which comes before PYTHONPATH.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'ffgan':\n"
        "            raise ImportError('no extension')\n"
        "sys.meta_path.insert(0, Missing)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run("--quick", "--force", PYTHONPATH=path)
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: ffgan cannot be measured: ImportError: no extension")
    assert "pip install ." in done.stderr


@pytest.mark.slow
def test_a_busy_machine_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            done = run("--quick", "--engines=ffgan", "--rows=generator-1")
        finally:
            process.kill()
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: busy: other processes use")
    assert f"({process.pid})" in done.stderr
    assert "--even-if-busy" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_service_is_measured_from_idle_to_overload() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.service"),
            *("--seconds", "1", "--requests", "100"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    kinds = [row[1].split(":")[0] for row in table[1:]]
    assert kinds == ["one face at a time", "8 at a time", "idle", "capacity", "overload"]
    for row in table[1:]:
        rate, cost, p50, p99 = (float(cell) for cell in row[2:6])
        assert rate > 0
        assert cost > 0
        assert 0 < p50 <= p99
    assert "after 100 requests" in done.stdout
    assert "40 x 200, 20 x 304, 20 x 404, 20 x 422" in done.stdout
