# SPDX-License-Identifier: GPL-3.0-or-later
"""`create_app` and `serve` before the web framework is imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from support.server import (
    WAIT_SECONDS,
)


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )


def test_web_framework_is_imported_by_the_first_call_only() -> None:
    done = run_python(
        """
        import sys, ffgan.server
        print([name for name in ("fastapi", "starlette", "uvicorn") if name in sys.modules])
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_missing_framework_is_one_line_with_the_command() -> None:
    done = run_python(
        """
        import sys
        sys.modules["fastapi"] = None
        from ffgan import Error
        from ffgan.server import serve
        try:
            serve()
        except Error as error:
            print(error)
        """
    )
    assert done.stderr == ""
    assert "needs fastapi" in done.stdout
    assert "pip install fastapi uvicorn prometheus-client" in done.stdout
