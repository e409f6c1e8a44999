# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets with what is asked for: conditions, cells, steering, people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.labelled_folder import rows

from ffgan import images, synthesis
from ffgan.errors import UsageError
from ffgan.model import Model
from ffgan.synthesis import steering


def test_a_condition_and_cells_hold_for_every_picture_and_rejected_draws_are_counted(
    packaged: Model, tmp_path: Path
) -> None:
    made = synthesis.make(
        tmp_path,
        12,
        model=packaged,
        attributes="none",
        where="abs(sharpness - 3) < 0.2",
        balance=["brightness=55", "background=30"],
        shard_size=8,
        max_draws=300,
    )
    found = rows(tmp_path)
    assert all(2.8 < row["sharpness"] < 3.2 for row in found)
    cells = Counter((row["brightness"] >= 55, row["background"] >= 30) for row in found)
    assert cells == dict.fromkeys(((a, b) for a in (False, True) for b in (False, True)), 3)
    assert sum(made.cells.values()) == 12 and set(made.cells.values()) == {3}
    assert made.draws == 12 + made.rejected["unlike"] + made.rejected["surplus"]
    card = (tmp_path / "README.md").read_text()
    assert f"{made.draws} faces were drawn; {made.draws - 12} of them were not taken" in card
    assert "| brightness below 55, background below 30 | 25.00% | 25.00% | 3 | drawing |" in card
    assert "All faces meet `abs(sharpness - 3) < 0.2`" in card
    seeds = [row["seed"] for row in found]
    assert len(set(seeds)) == 12
    for row in found[::5]:
        face = packaged.face(row["seed"])
        np.testing.assert_allclose(images.decode(row["path"].read_bytes()), face.image, atol=90)
        assert row["score"] == pytest.approx(face.score, rel=1e-4)


def test_what_cannot_be_filled_is_named_with_how_far_it_got(
    packaged: Model, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"model": packaged, "attributes": "none", "max_draws": 20}
    with pytest.raises(synthesis.ShortfallError) as error:
        synthesis.make(tmp_path / "a", 6, balance=["brightness=55/99.9"], **how)
    assert str(error.value) == (
        "train-00000: 20 draws in a row gave no brightness 99.9 and more (0 of 2 were found): "
        "give --drawing steered, wider bins, fewer attributes or a larger --max-draws"
    )
    with pytest.raises(synthesis.ShortfallError, match=r"no face as asked \(0 of 6 were found\)"):
        synthesis.make(tmp_path / "b", 6, where="brightness > 99.9", **how)
    # With room for that the shard is whole.
    assert not list(tmp_path.rglob("*.jsonl"))


def test_shares_as_in_a_table(packaged: Model, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("brightness,name\n" + "40,x\n" * 3 + "70,y\n" * 7)
    made = synthesis.make(
        tmp_path / "set", 10, model=packaged, attributes="none", like=table, by=["brightness=55"]
    )
    assert made.cells == {"brightness below 55": 3, "brightness 55 and more": 7}
    assert sum(row["brightness"] < 55 for row in rows(tmp_path / "set")) == 3


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "say how many pictures"),
        ({"count": 0}, "count is 0: give a whole number from 1"),
        ({"count": 5, "images": 3}, "give identities, too"),
        ({"count": 5, "identities": 3, "images": 2}, "3 people in 2 pictures each are not 5"),
        ({"identities": 0}, "identities is 0"),
        ({"count": 5, "drawing": "steered"}, "is for cells: give balance or like"),
        ({"count": 5, "balance": ["age"], "like": "x.csv"}, "give one of the two"),
        ({"count": 5, "by": ["age"]}, "by names columns of like"),
        ({"count": 5, "balance": ["age"], "age": 30}, "age is asked for and in the cells"),
        ({"count": 5, "split": [("a", 0.5)]}, "add up to 0.5"),
        ({"count": 5, "split": [("a.b", 1)]}, "split 'a.b'"),
        ({"count": 5, "split": [("a", 0.5), ("a", 0.5)]}, "different names"),
        ({"count": 5, "split": [("a", 0.5), ("A", 0.5)]}, "different names"),
        ({"count": 5, "format": "zip"}, "format is 'zip': give one of folder"),
        ({"count": 5, "seed": 2**64 - 3}, "begin with a smaller one"),
        ({"count": 5, "attributes": ["aeg"]}, "did you mean 'age'"),
        ({"count": 5, "identities": 5, "balance": ["age"], "drawing": "auto"}, "drawn free"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_made(
    how: dict[str, Any], said: str, packaged: Model, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as error:
        synthesis.make(tmp_path / "set", model=packaged, **how)
    assert said in str(error.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("dlib_files")
class TestSteering:
    def test_rare_cells_are_steered_and_common_ones_drawn(
        self, packaged: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(steering, "PILOT", 128)
        made = synthesis.make(
            tmp_path,
            12,
            model=packaged,
            balance=["age=40/60", "gender"],
            attributes="none",
            drawing="auto",
        )
        assert set(made.cells.values()) == {2}
        card = (tmp_path / "README.md").read_text()
        assert "age 60 and more, gender female | 16.67% | 16.67% | 2 | steering |" in card
        assert "age below 40, gender female | 16.67% | 16.67% | 2 | drawing |" in card
        for row in rows(tmp_path)[::6]:
            assert row["age"] < 40

    def test_all_faces_have_what_is_asked_of_all(self, packaged: Model, tmp_path: Path) -> None:
        synthesis.make(tmp_path, 6, model=packaged, attributes="none", age=50, gender="male")
        for row in rows(tmp_path):
            assert 47 <= row["age"] <= 53
            assert row["gender"] == "male"

    def test_a_cell_beyond_the_model_is_named_at_once(
        self, packaged: Model, tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match=r"age 40 to 90 cannot be steered: .* give 6 to 67"):
            synthesis.make(tmp_path, 6, model=packaged, balance=["age=40/90"], drawing="steered")


@pytest.mark.slow
@pytest.mark.usefixtures("dlib_files")
class TestPeople:
    def test_a_person_is_in_one_split_and_like_itself(
        self, packaged: Model, tmp_path: Path
    ) -> None:
        from ffgan.attributes.recognition import embeddings

        how: dict[str, Any] = {
            "model": packaged,
            "identities": 4,
            "images": 3,
            "encoding": "png",
            "attributes": "none",
            "shard_size": 3,
            "split": [("train", 0.75), ("test", 0.25)],
        }
        made = synthesis.make(tmp_path / "once", **how)
        found = rows(tmp_path / "once")
        assert [(row["identity"], row["image_index"]) for row in found] == [
            (person, image) for person in range(4) for image in range(3)
        ]
        splits = [row["path"].parents[1].name for row in found]
        assert splits == ["train"] * 9 + ["test"] * 3
        codes = embeddings(np.stack([images.decode(row["path"].read_bytes()) for row in found]))
        apart = np.linalg.norm(codes[:, None] - codes, axis=-1)
        for person in range(4):
            own = slice(3 * person, 3 * person + 3)
            assert apart[own, own].max() < 0.6
        first = apart[::3, ::3][np.triu_indices(4, 1)]
        assert first.min() >= 0.6
        # The same people by the same pictures, whichever shard comes first.
        (tmp_path / "once" / ".ffgan" / "shards" / "train-00001.json").unlink()
        before = (tmp_path / "once" / "SHA256SUMS").read_bytes()
        assert synthesis.make(tmp_path / "once", **how).made == 3
        assert (tmp_path / "once" / "SHA256SUMS").read_bytes() == before
        assert made.rejected.keys() <= {"near"}

    def test_faces_that_keep_apart_in_cells(self, packaged: Model, tmp_path: Path) -> None:
        made = synthesis.make(
            tmp_path,
            8,
            model=packaged,
            min_distance=0.5,
            balance=["gender"],
            where="background > 10",
            attributes="none",
            encoding="png",
        )
        from ffgan.attributes.recognition import embeddings

        found = rows(tmp_path)
        assert Counter(row["gender"] for row in found) == {"female": 4, "male": 4}
        assert all(row["background"] > 10 for row in found)
        codes = embeddings(np.stack([images.decode(row["path"].read_bytes()) for row in found]))
        apart = np.linalg.norm(codes[:, None] - codes, axis=-1)[np.triu_indices(8, 1)]
        assert apart.min() >= 0.5
        assert made.draws == 8 + sum(made.rejected.values())
        assert found[0]["seed"] != found[1]["seed"]
        face = packaged.face(found[2]["seed"])
        np.testing.assert_array_equal(images.decode(found[2]["path"].read_bytes()), face.image)
