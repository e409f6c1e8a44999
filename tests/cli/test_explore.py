# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan explore`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path

import pytest
from support.commands import SECONDS, environment

from ffgan.cli import explore

# As `BROWSER`: keeps the address that it is given.
BROWSER = """
import pathlib, sys
pathlib.Path("address").write_text(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--seed", "7"], ["--no-browser"]])
def test_explore_opens_the_page_in_the_browser_until_ctrl_c(
    options: list[str], tmp_path: Path, model: str
) -> None:
    (tmp_path / "browser.py").write_text(BROWSER)
    browser = f"{sys.executable} {tmp_path / 'browser.py'} %s"
    process = subprocess.Popen(
        [sys.executable, "-m", "ffgan", "explore", "--model", model, *options],
        cwd=tmp_path,
        env=environment() | {"BROWSER": browser},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    said = re.fullmatch(r"ffgan: the page is at (http://\S+) \(Ctrl\+C stops\)\n", line)
    assert said, process.communicate()
    with urllib.request.urlopen(said[1], timeout=SECONDS) as page:
        assert "<title>ffgan" in page.read().decode()
    opened = tmp_path / "address"
    if "--no-browser" not in options:
        end = time.monotonic() + SECONDS
        while not (opened.exists() and opened.read_text()):
            assert time.monotonic() < end, "no browser was opened"
            time.sleep(0.05)
        assert opened.read_text() == said[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert errors == "ffgan: stopped with Ctrl+C\n"
    assert opened.exists() == ("--no-browser" not in options)
    assert said[1].endswith("/?seed=7" if "--seed" in options else "/")


def test_explore_says_so_where_no_browser_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> webbrowser.BaseBrowser:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.delenv("BROWSER", raising=False)
    for get in (nothing, lambda: webbrowser.GenericBrowser("lynx")):
        monkeypatch.setattr(webbrowser, "get", get)
        explore.open_browser("http://127.0.0.1:1/")
        (line,) = capsys.readouterr().err.splitlines()
        assert "open the address yourself" in line
