# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.faces import whole

from ffgan import faces
from ffgan._core import _testing
from ffgan.typing import RGB


@pytest.mark.usefixtures("files")
def test_embeddings_tell_people_apart(people: RGB) -> None:
    embeddings = faces.embed(whole(people))
    assert embeddings.shape == (len(people), 128)
    assert embeddings.dtype == np.float32
    darker = faces.embed(whole((people * 0.7).astype(np.uint8)))
    mirrored = faces.embed(np.ascontiguousarray(whole(people)[:, :, ::-1]))
    apart = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    others = apart[~np.eye(len(people), dtype=bool)]
    for same in (darker, mirrored):
        distance = np.linalg.norm(same - embeddings, axis=1)
        assert (distance < faces.SAME_PERSON).all()
        assert distance.max() < np.quantile(others, 0.25)


@pytest.mark.usefixtures("files")
def test_an_embedding_depends_on_its_face_alone(people: RGB) -> None:
    chips = whole(people)
    together = faces.embed(chips)
    alone = np.concatenate([faces.embed(chip[None]) for chip in chips])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(faces.embed, [chips] * 6):
            np.testing.assert_allclose(result, together, atol=1e-5)
    assert faces.embed(chips[:0]).shape == (0, 128)


@pytest.mark.usefixtures("files")
def test_an_embedding_does_not_depend_on_a_network_for_another_size(people: RGB) -> None:
    # Training sees the 162 pixels of an image, an embedding 150: their layers share memory.
    chips = whole(people)[:1]
    images = np.ascontiguousarray(people.transpose(0, 3, 1, 2), np.float32) / 256
    recognition = str(faces.recognition_file(None))
    before = faces.embed(chips)
    _testing.features(recognition, images[:8])
    np.testing.assert_array_equal(faces.embed(chips), before)
