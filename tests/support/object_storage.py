# SPDX-License-Identifier: GPL-3.0-or-later
"""An S3 server in this process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MISSING = "an S3 server needs pip install '.[slow]'"


@contextlib.contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server that s3fs finds by its environment, with the bucket ``faces``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what servers and clients import is not ours
        boto3 = pytest.importorskip("boto3", reason=MISSING)
        server_module = pytest.importorskip("moto.server", reason=MISSING)
        s3fs = pytest.importorskip("s3fs", reason=MISSING)
        server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        client = boto3.client("s3")
        client.create_bucket(Bucket="faces")
        try:
            yield client
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.stop()


def upload(client: Any, folder: Path, prefix: str) -> None:
    """All files below a folder into the bucket."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder)}"
            client.put_object(Bucket="faces", Key=key, Body=path.read_bytes())
