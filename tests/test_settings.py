# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a declared setting: checks, files, the documentation's table."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, model_validator

from ffgan.cli.parser import Parser
from ffgan.cli.settings_options import add_settings, given_settings
from ffgan.errors import UsageError
from ffgan.settings import (
    BaseSettings,
    PathText,
    assignment,
    markdown_table,
    read_file,
    setting,
)


def _folder_name(name: str) -> str:
    if "/" in name:
        raise ValueError("the name of a folder")
    return name


class Settings(BaseSettings):
    command = "ffgan test"

    batch: int = setting(64, ge=2, le=4096, group="training", help="images per step", common=True)
    seed: int = setting(0, ge=0, le=2**64 - 1, group="training", help="seed", life="fixed")
    rate: float = setting(1e-4, gt=0, lt=1, group="training", help="how fast", life="any")
    share: float = setting(0.5, ge=0, lt=1, group="training", help="50 % of it", life="any")
    steps: int | None = setting(
        None, ge=1, group="run", metavar="N", help="when to stop", absent="no limit", common=True
    )
    loss: Literal["logistic", "hinge"] = setting("logistic", group="run", help="the loss")
    flip: bool = setting(False, group="run", help="mirror")
    name: Annotated[str, AfterValidator(_folder_name)] | None = setting(
        None, group="run", help="name"
    )
    file: PathText | None = setting(None, group="run", help="a file")

    @model_validator(mode="after")
    def _rules(self) -> Settings:
        if self.flip and self.loss == "hinge":
            raise ValueError("--flip needs --loss logistic")
        return self


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 1}, "--batch must be from 2 to 4096, not 1"),
        ({"batch": 5000}, "--batch must be from 2 to 4096, not 5000"),
        ({"batch": "many"}, "--batch must be a whole number, not 'many'"),
        ({"batch": 2.5}, "--batch must be a whole number, not 2.5"),
        ({"batch": None}, "--batch must be a whole number, not None"),
        ({"seed": 2**64}, f"--seed must be from 0 to {2**64 - 1}, not {2**64}"),
        ({"rate": 0.0}, "--rate must be above 0 and below 1, not 0.0"),
        ({"rate": "x"}, "--rate must be a number, not 'x'"),
        ({"batch": True}, "--batch must be a whole number, not True"),
        ({"rate": True}, "--rate must be a number, not True"),
        ({"rate": float("nan")}, "--rate must be a finite number, not nan"),
        ({"rate": "inf"}, "--rate must be a finite number, not 'inf'"),
        ({"share": 1.0}, "--share must be from 0 to below 1, not 1.0"),
        ({"steps": "-1"}, "--steps must be 1 or more, not -1"),
        ({"loss": "hing"}, "--loss must be logistic or hinge, not 'hing'"),
        ({"flip": "maybe"}, "--flip must be true or false, not 'maybe'"),
        ({"steps": 2**64}, f"--steps must be below 2^64, not {2**64}"),
        ({"file": 3}, "--file must be text, not 3"),
        ({"file": ""}, "--file must be a path, not ''"),
        ({"file": "a\0b"}, r"--file must be a path, not 'a\x00b'"),
        ({"name": "a/b"}, "--name must be the name of a folder, not 'a/b'"),
        ({"btach": 8}, "unknown setting btach: did you mean batch?"),
        ({"zzz": 8}, "unknown setting zzz: ffgan test --help-all lists them"),
        ({"flip": True, "loss": "hinge"}, "--flip needs --loss logistic"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        Settings(**given)
    assert str(raised.value) == message


def test_text_is_taken_for_what_it_says() -> None:
    text: Any = {"batch": "8", "rate": "1e-3", "flip": "yes", "steps": "5"}
    settings = Settings(**text, file=Path("/a/b"))  # type: ignore[arg-type]
    assert (settings.batch, settings.rate, settings.flip) == (8, 1e-3, True)
    assert (settings.steps, settings.file) == (5, "/a/b")
    assert settings.model_fields_set == {"batch", "rate", "flip", "steps", "file"}


def test_the_ends_of_a_range_belong_to_it() -> None:
    assert Settings(batch=2, seed=2**64 - 1, share=0).seed == 2**64 - 1
    assert Settings(batch=4096, steps=1).batch == 4096


def test_single_values_are_checked_without_the_rules() -> None:
    given = {"flip": "true", "loss": "hinge"}
    assert Settings.checked(given) == {"flip": True, "loss": "hinge"}
    with pytest.raises(UsageError, match="--batch"):
        Settings.checked({"batch": 1})


def test_replaced_settings_are_checked_and_know_what_was_given() -> None:
    settings = Settings(batch=8).replace(steps=3)
    assert (settings.batch, settings.steps) == (8, 3)
    assert settings.model_fields_set == {"batch", "steps"}
    with pytest.raises(UsageError, match="--steps"):
        settings.replace(steps=0)


def test_settings_cannot_be_changed_and_can_be_sent_to_a_process() -> None:
    settings = Settings(batch=8)
    with pytest.raises(Exception, match="frozen"):
        settings.batch = 9  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_are_found_by_their_marks() -> None:
    assert Settings.names(life="fixed") == ("seed",)
    assert Settings.names(life="any") == ("rate", "share")


def test_a_path_cannot_be_declared_to_be_published() -> None:
    class Careless(BaseSettings):
        file: PathText = setting("", group="run", help="a file", publish=True)

    with pytest.raises(TypeError, match="file"):
        Careless.about()


def test_a_file_of_settings(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# mine\nbatch = 16\nrate = 0.5\nflip = true\nloss = 'hinge'\n")
    # What is wrong together may be put right by what is given beside the file.
    assert read_file(path, Settings) == {"batch": 16, "rate": 0.5, "flip": True, "loss": "hinge"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("btach = 16", "did you mean batch"),
        ("batch = 1", "--batch must be from 2"),
        ("batch 16", "is not a TOML file"),
        ("name = '\xe9'", "is not a TOML file: it is not UTF-8 text"),
        ("steps = " + "9" * 5000, "is not a TOML file"),
        ("steps = " + "[" * 5000, "is not a TOML file"),
        ("#" * (2 << 20), "is not a TOML file: it has more than 1 MiB"),
        ("[training]\nbatch = 16", r"settings stand in no table: leave out \[training\]"),
        ("[batch]\nx = 16", r"leave out \[batch\]"),
    ],
)
def test_a_wrong_file_is_named(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=reason) as raised:
        read_file(path, Settings)
    assert str(raised.value).startswith(str(path))


def test_a_setting_cannot_stand_twice_in_a_file(tmp_path: Path) -> None:
    class Dashed(BaseSettings):
        of_both: int = setting(1, group="run", help="a name of two words")

    path = tmp_path / "mine.toml"
    path.write_text("of-both = 2\nof_both = 3")
    with pytest.raises(UsageError, match="of_both is given twice"):
        read_file(path, Dashed)


def test_a_byte_order_mark_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbfbatch = 16\r\n")
    assert read_file(path, Settings) == {"batch": 16}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.toml cannot be read"):
        read_file(tmp_path / "none.toml", Settings)


def test_an_assignment() -> None:
    assert assignment("batch=8", Settings) == ("batch", "8")
    assert assignment("batch = 8", Settings) == ("batch", "8")
    with pytest.raises(UsageError, match="did you mean batch"):
        assignment("btach=8", Settings)
    with pytest.raises(UsageError, match="name=value"):
        assignment("batch", Settings)


def test_the_table_has_a_row_for_every_setting() -> None:
    table = markdown_table(Settings)
    assert "### Training\n" in table
    assert "| `--batch` | 64 | from 2 to 4096 | images per step |\n" in table
    assert "| `--steps` | no limit | 1 or more | when to stop |\n" in table
    assert "| `--file` | none | a path | a file |\n" in table
    assert "| how fast (twice) |\n" in markdown_table(Settings, {"rate": " (twice)"})
    assert table.count("| `--") == len(Settings.model_fields)


# ---------------------------------------------------------------------------- as options


def parse(*words: str) -> argparse.Namespace:
    parser = Parser(prog="ffgan test")
    add_settings(parser, Settings)
    return parser.parse_args(words)


def given(*words: str) -> dict[str, Any]:
    return given_settings(parse(*words), Settings)


def test_only_what_is_given_arrives() -> None:
    assert given() == {}
    words = ("--batch", "8", "--rate", "1e-3", "--flip", "--loss", "hinge")
    assert given(*words) == {"batch": 8, "rate": 1e-3, "flip": True, "loss": "hinge"}
    assert given("--no-flip") == {"flip": False}


def test_a_setting_by_its_name_is_an_option_and_the_last_one_counts() -> None:
    assert given("--set", "batch=8", "--set", "flip=yes") == {"batch": 8, "flip": True}
    assert given("--set", "batch=8", "--batch", "9") == {"batch": 9}
    assert given("--batch", "9", "--set", "batch=8") == {"batch": 8}


def test_options_stand_above_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("batch = 16\nsteps = 3")
    assert given("--batch", "8", "--config", str(path)) == {"batch": 8, "steps": 3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", "many"], "--batch must be a whole number"),
        (["--set", "btach=8"], "did you mean batch"),
        (["--btach", "8"], "unknown option --btach: did you mean --batch"),
        (["--btach=8"], "unknown option --btach: did you mean --batch"),
        (["--zzz", "8"], "unknown option --zzz "),
        (["--config", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given(*words)


def test_help_shows_the_common_settings_and_help_all_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = {}
    for word in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            parse(word)
        shown[word] = " ".join(capsys.readouterr().out.split())
    assert "--batch BATCH images per step (default: 64)" in shown["--help"]
    assert "--rate" not in shown["--help"]
    assert "--rate RATE how fast (default: 0.0001)" in shown["--help-all"]
    assert "50 % of it (default: 0.5)" in shown["--help-all"]
    assert "--loss {logistic,hinge}" in shown["--help-all"]
