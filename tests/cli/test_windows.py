# SPDX-License-Identifier: GPL-3.0-or-later
"""`gen` and `train --window` on a screen of our own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from support.screen import SECONDS, Screen, cv2, x_server
from support.terminal import terminal
from support.waiting import until

from ffgan import images


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "pictures"
    folder.mkdir()
    drawn = np.random.default_rng(0)
    for i in range(4):
        noise = drawn.integers(0, 256, (9, 9, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(noise, (162, 162)))
    return folder


# ---------------------------------------------------------------------------- gen in a window


def distance(screen: np.ndarray, face: np.ndarray) -> float:
    """How far the window at the screen's corner is from a face in BGR, three times as large."""
    side = 3 * face.shape[0]
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)[:, :, ::-1]
    best = cv2.matchTemplate(
        screen.astype(np.float32), large.astype(np.float32), cv2.TM_SQDIFF
    ).min()
    return float(np.sqrt(best / large.size))


def test_gen_steps_through_the_faces_and_saves_one(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("-m", "ffgan", "gen", "3", "--seed", "5", "--delay", "0", "--model", model)
    process = screen.python(*command, cwd=tmp_path)
    screen.window("^seed 5, score -?[0-9]+[.][0-9][0-9], [0-9]+ (try|tries)$")
    screen.press("space")
    window = screen.window("^seed 6, ")
    screen.press("s")
    saved = tmp_path / "generated" / "face-6.png"
    until(saved.exists)
    face = cv2.imread(str(saved))
    picture = tmp_path / "screen.png"
    screen.until_painted(window, lambda: distance(screen.picture(picture), face) < 2)
    (tmp_path / "screen.png").unlink()
    screen.press("n")
    screen.window("^seed 7, ")
    screen.press("q")
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert output.startswith("3 faces, ")
    assert [path.name for path in tmp_path.rglob("*.png")] == ["face-6.png"]
    assert str(Path("generated") / "face-6.png") in output


@pytest.mark.slow
def test_gen_ends_by_itself_after_n_faces_and_writes_nothing_unasked(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    process = screen.python(
        "-m", "ffgan", "gen", "3", "--delay", "0.1", "--model", model, cwd=tmp_path
    )
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert output.startswith("3 faces, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["close button", "q", "Escape"])
def test_gen_stops_when_the_user_has_seen_enough(
    way: str, screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("gen", "100000", "--seed", "1", "--delay", "0.05", "--out", "out", "--model", model)
    process = screen.python("-m", "ffgan", *command, cwd=tmp_path)
    screen.window("^seed ([3-9]|[0-9][0-9])")
    if way == "close button":
        screen.click_close_button(screen.window("^seed "))
    else:
        screen.press(way)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    files = list((tmp_path / "out").iterdir())
    assert output.startswith(f"{len(files)} faces, ")
    assert 3 <= len(files) < 100000


@pytest.mark.slow
def test_gen_stops_with_ctrl_c_and_keeps_what_it_wrote(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("gen", "100000", "--seed", "1", "--delay", "0.05", "--out", "out", "--model", model)
    process = screen.python("-m", "ffgan", *command, cwd=tmp_path)
    screen.window("^seed ([3-9]|[0-9][0-9])")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    files = list((tmp_path / "out").iterdir())
    assert f"{len(files)} files written" in errors
    assert "Traceback" not in errors
    assert all(cv2.imread(str(path)).shape == (162, 162, 3) for path in files)


# ---------------------------------------------------------------------------- train in a window


@pytest.mark.slow
@pytest.mark.parametrize("way", ["close button", "q"])
def test_train_draws_and_saves_at_a_key_and_goes_on_without_its_window(
    way: str, screen: Screen, tmp_path: Path, pictures: Path
) -> None:
    limits = ["--steps", "100000", "--batch", "2", "--ema", "0.9"]
    never = ["--sample-every", "99999", "--checkpoint-every", "99999", "--log-every", "1"]
    process = screen.python(
        *(
            "-m",
            "ffgan",
            "train",
            str(pictures),
            "--init",
            "scratch",
            "--recipe",
            "original",
            "--window",
            *limits,
            *never,
        ),
        cwd=tmp_path,
    )
    run = tmp_path / "runs" / "pictures"
    window = screen.window("^ffgan: training$")
    until(lambda: (run / "train.jsonl").exists())
    screen.press("n")
    window = screen.window("^ffgan: pictures, step [0-9]+, seeds 0 to 35$")
    (sample,) = run.glob("samples/step-*.png")
    before = set(run.glob("checkpoints/step-*.safetensors"))
    screen.press("s")
    until(lambda: bool(set(run.glob("checkpoints/step-*.safetensors")) - before))
    until(lambda: (run / "model.safetensors").exists())
    if way == "close button":
        screen.click_close_button(window)
    else:
        screen.press(way)
    until(lambda: not screen.tool("xdotool", "search", "--onlyvisible", "--name", "^ffgan"))
    lines = len((run / "train.jsonl").read_text().splitlines())
    until(lambda: len((run / "train.jsonl").read_text().splitlines()) > lines + 1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert cv2.imread(str(sample)).shape == (6 * 162, 6 * 162, 3)


@pytest.mark.slow
def test_ctrl_c_ends_training_and_its_window(
    screen: Screen, tmp_path: Path, pictures: Path
) -> None:
    options = [
        "--init",
        "scratch",
        "--recipe",
        "original",
        "--batch",
        "2",
        "--log-every",
        "1",
        "--sample-every",
        "2",
    ]
    process = screen.python(
        "-m", "ffgan", "train", str(pictures), "--window", *options, cwd=tmp_path
    )
    screen.window("^ffgan: pictures, step [0-9]+, seeds 0 to 35$")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert "resume with: python -m ffgan train" in errors
    assert not screen.tool("xdotool", "search", "--onlyvisible", "--name", "^ffgan")


# ---------------------------------------------------------------------------- a display that ends


@pytest.mark.slow
def test_train_goes_on_when_its_display_ends(tmp_path: Path, pictures: Path) -> None:
    with x_server() as (name, server):
        screen = Screen(name)
        options = ["--init", "scratch", "--recipe", "original", "--batch", "2", "--log-every", "1"]
        process = screen.python(
            *("-m", "ffgan", "train", str(pictures), "--window", "--sample-every", "2", *options),
            cwd=tmp_path,
        )
        log = tmp_path / "runs" / "pictures" / "train.jsonl"
        screen.window("^ffgan: pictures, step [0-9]+, seeds 0 to 35$")
        server.kill()
        lines = len(log.read_text().splitlines())
        until(lambda: len(log.read_text().splitlines()) > lines + 4 or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 143, errors
    assert errors.count(f"the window is gone: the connection to the display {name} broke\n") == 1
    assert "resume with: python -m ffgan train" in errors


@pytest.mark.slow
@pytest.mark.parametrize("out", [[], ["--out", "out"], ["--out", "sheet.png", "--grid"]])
def test_gen_writes_what_was_asked_for_when_its_display_ends(
    out: list[str], tmp_path: Path, model: str
) -> None:
    with x_server() as (name, server):
        screen = Screen(name)
        command = ("gen", "40", "--seed", "1", "--delay", "0.2", "--model", model, *out)
        process = screen.python("-m", "ffgan", *command, cwd=tmp_path)
        screen.window("^seed ([3-9]|[0-9][0-9])")
        server.kill()
        output, errors = process.communicate(timeout=SECONDS)
    assert errors == f"ffgan: the window is gone: the connection to the display {name} broke\n"
    assert process.returncode == (0 if out else 1)
    if "--grid" in out:
        assert images.read_metadata(tmp_path / "sheet.png")["count"] == "40"
    elif out:
        assert len(list((tmp_path / "out").iterdir())) == 40
    else:
        assert "no files (--out DIR writes them)" in output


@pytest.mark.slow
def test_ctrl_c_in_the_terminal_is_for_the_training_alone(
    screen: Screen, tmp_path: Path, pictures: Path
) -> None:
    """The terminal sends it to all processes of the command."""
    options = ["--init", "scratch", "--recipe", "original", "--batch", "2", "--sample-every", "2"]
    command = [sys.executable, "-m", "ffgan", "train", str(pictures), "--window", *options]
    with terminal(command, cwd=tmp_path, env=screen.environment) as opened:
        samples = tmp_path / "runs" / "pictures" / "samples"
        opened.until(lambda: samples.exists() and len(list(samples.iterdir())) >= 2)
        opened.press("\x03")
        assert opened.end() == 130
        opened.until(lambda: "resume with" in opened.shown)
    assert "the window is gone" not in opened.shown
