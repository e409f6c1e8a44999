# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs import of ffgan: these paths stay."""

from __future__ import annotations

import importlib

import pytest

PATHS = """
ffgan.Error ffgan.Face ffgan.Model ffgan.__version__ ffgan.extract ffgan.generate ffgan.load
ffgan.project ffgan.identities ffgan.train
ffgan.audit.Audit ffgan.audit.Pair ffgan.audit.audit ffgan.audit.table
ffgan.cli.main
ffgan.control.Identities ffgan.control.strip ffgan.control.strips
ffgan.dataset.Dataset ffgan.dataset.Fit ffgan.dataset.fit_square ffgan.dataset.overlap
ffgan.dataset.pack
ffgan.errors.CheckpointError ffgan.errors.DatasetError ffgan.errors.DisplayError
ffgan.errors.DivergedError ffgan.errors.Error ffgan.errors.ExtraError ffgan.errors.ModelError
ffgan.errors.ServerError ffgan.errors.UsageError
ffgan.evaluation.compare ffgan.evaluation.evaluate ffgan.evaluation.measure
ffgan.evaluation.quick ffgan.evaluation.reference ffgan.evaluation.table
ffgan.extraction.Extracted ffgan.extraction.Settings ffgan.extraction.extract
ffgan.extraction.table
ffgan.faces.Box ffgan.faces.align ffgan.faces.cut ffgan.faces.detect ffgan.faces.embed
ffgan.faces.landmarks ffgan.faces.recognition_file
ffgan.features.Network ffgan.features.load
ffgan.images.decode ffgan.images.dimensions ffgan.images.encode ffgan.images.grid
ffgan.images.read_metadata ffgan.images.resize ffgan.images.save
ffgan.interruption.Interrupted
ffgan.latent.LATENT_SIZE ffgan.latent.MAX_SEED ffgan.latent.check_seed ffgan.latent.noise
ffgan.latent.path ffgan.latent.random_seed
ffgan.model.DEFAULT_TRIES ffgan.model.Face ffgan.model.Model ffgan.model.by_network
ffgan.model.packaged_model ffgan.model.read_model ffgan.model.save_model
ffgan.projection.Projection ffgan.projection.load_latent ffgan.projection.project
ffgan.projection.save_latent
ffgan.ranks.Ranks ffgan.ranks.of_launcher
ffgan.server.DEFAULT_PORT ffgan.server.Settings ffgan.server.create_app ffgan.server.serve
ffgan.training.Interrupted ffgan.training.Settings ffgan.training.dry_run ffgan.training.train
ffgan.viewer.Window
""".split()  # noqa: SIM905


@pytest.mark.parametrize("path", PATHS)
def test_import_path(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert hasattr(importlib.import_module(module), name)
