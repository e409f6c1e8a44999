# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from support.evaluation import need_feature_networks

import ffgan
from ffgan import features
from ffgan.errors import UsageError


def test_features_of_an_image_do_not_depend_on_the_others() -> None:
    need_feature_networks()
    people = ffgan.generate(11, seed=1000, tries=1)
    for name in features.NAMES:
        network = features.load(name)
        together = network.extract(people)
        alone = np.concatenate([network.extract(people[i : i + 1]) for i in range(11)])
        np.testing.assert_allclose(together, alone, atol=1e-4)
        assert network.extract(people[:0]).shape == (0, together.shape[1])


def test_another_name_is_an_error() -> None:
    with pytest.raises(UsageError, match="give one of imagenet, faces, or"):
        features.load("inception")
