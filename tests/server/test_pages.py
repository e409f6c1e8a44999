# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, its files, the original's pages and the reference."""

from __future__ import annotations

import base64
import re

import pytest
from support.server import (
    PAGES,
    Client,
    FakeModel,
)

from ffgan import images
from ffgan.latent import MAX_SEED


def data_uris(text: str) -> list[bytes]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", text)
    return [base64.b64decode(data) for data in found]


@pytest.mark.parametrize("path", PAGES)
def test_page_needs_nothing_inline_and_no_other_host(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert links
    for link in links:
        if link.startswith("data:"):
            continue
        assert "//" not in link
        # Relative, so that the pages also work below a prefix of a reverse proxy.
        assert not link.startswith("/")
        assert client.get(f"/{link.removeprefix('./')}").status_code == 200


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/page.js", "text/javascript; charset=utf-8"),
        ("/static/view.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/svg+xml"),
    ],
)
def test_static_files_are_revalidated(client: Client, path: str, media_type: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_get_image_works_without_javascript(client: Client, served: FakeModel) -> None:
    answer = client.get("/get_image")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert re.search(r'<form[^>]*action="get_image".*<button[^>]*>Regenerate<', answer.text, re.S)
    (file,) = data_uris(re.findall(r'<a [^>]*href="get_image"[^>]*>.*?</a>', answer.text, re.S)[0])
    assert images.decode(file).shape == (162, 162, 3)
    assert client.get("/get_image").text != answer.text
    assert len(served.drawn) == 2 * 3


def test_get_raw_image_is_a_data_uri(client: Client) -> None:
    answer = client.get("/get_raw_image")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    (file,) = data_uris(answer.text)
    assert answer.text == f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    assert images.decode(file).shape == (162, 162, 3)
    seed = answer.headers["x-ffgan-seed"]
    assert client.get("/face.jpg", params={"seed": seed}).content == file


def test_docs_name_every_endpoint_and_parameter(client: Client) -> None:
    description = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert {"/face.png", "/face.jpg", "/face.webp", "/get_image", "/get_raw_image"} <= set(
        description["paths"]
    )
    for path, operations in description["paths"].items():
        assert f">{path}<" in page
        for parameter in next(iter(operations.values())).get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page
    assert f"integer, 0 to {MAX_SEED}" in page
