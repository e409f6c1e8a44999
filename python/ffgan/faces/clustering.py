# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who among many faces: embeddings in clusters, by Chinese whispers.

As in dlib's dnn_face_recognition_ex: faces whose embeddings are near each other are linked, and
each takes the label that most of its links have, until nothing changes (Biemann 2006).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.extraction import perceptual_hash as duplicates
from ffgan.faces import SAME_PERSON
from ffgan.typing import Float32, Int64



def cluster(embeddings: Float32, *, distance: float = SAME_PERSON) -> Int64:
    """Return a person's number for each of (n, 128) embeddings, (n,) int64: 0 has most faces.

    Faces nearer than ``distance`` are linked. The numbers follow from the embeddings alone.
    """
    pairs = duplicates.near(embeddings, distance)
    labels = _core.cluster_faces(len(embeddings), pairs)
    _, first, label, count = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(count), np.int64)
    rank[np.lexsort((first, -count))] = np.arange(len(count))
    return rank[label]
