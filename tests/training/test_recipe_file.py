"""Recipes from elsewhere: what no training could use is refused while the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mma_unet.configs import config_names
from mma_unet.errors import InputError

pytest.importorskip("lightning")
from mma_unet.training import load_recipe
from mma_unet.training.recipe_file import parse_yaml


def refusal(folder: Path, text: str | bytes) -> str:
    path = folder / "toy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x", "/tmp/x", "a/b", "a\\b", "C:x", "..", ".", "x/", "''", '"a\\0b"',
        '"a\\e[2J"', f"{'x' * 201}",
    ],
)  # fmt: skip
def test_a_name_stays_in_the_folder_of_the_run(name: str, tmp_path: Path) -> None:
    assert "name must be a plain name for a file" in refusal(tmp_path, f"name: {name}") or (
        "name: give text" in refusal(tmp_path, f"name: {name}")
    )


def test_usual_names_are_taken(tmp_path: Path) -> None:
    for name in ("small", "E4_seed-1", "my recipe (2)", "赤外線", "v1.0", ".hidden"):
        path = tmp_path / "toy.yaml"
        path.write_text(f"name: {name}\nmodel: tiny\n", encoding="utf-8")
        assert load_recipe(path).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vi: {lr: .nan}", "vi: lr: give a number, not nan"),
        ("vi: {lr: .inf}", "lr: give a number"),
        ("vi: {lr: 1e999}", "lr: give a number, not '1e999'"),
        (f"vi: {{lr: {'9' * 400}}}", "lr: give a number"),
        ("vi: {lr: 1.0e+9}", "lr must be at most"),
        ("fusion: {weight_decay: -.inf}", "weight_decay: give a number"),
        ("fusion: {teacher_weight: -1}", "teacher_weight must be at least 0"),
        ("fusion: {metrics: {vif: .nan}}", "metrics.vif: give a number"),
        ("fusion: {metrics: {vif: -2.0}}", "vif: a weight must be in"),
        ("fusion: {loss: {alpha: -1.0}}", "alpha: a weight must be in"),
        ("fusion: {epochs: true}", "epochs: give a whole number, not True"),
        ("fusion: {epochs: 1.5}", "epochs: give a whole number, not 1.5"),
        (f"fusion: {{epochs: {10**12}}}", "epochs must be at most"),
        ("data: {crop: 1600000}", "crop must be at most"),
        ("data: {crop: -16}", "crop must be at least 1"),
        ("data: {workers: 99999}", "workers must be at most"),
        ("data: {jitter: .nan}", "jitter: give a number"),
        ("data: {zoom: 1.0e+300}", "zoom must be at most"),
        ("data: {scale: [.nan, 1]}", "scale: give a number"),
        ("data: {blind: 2}", "blind must be at most 1"),
        ('data: {root: "a\\0b"}', "root: give text"),
        (f"seed: {2**32}", "seed must be at most"),
        ("model: {preset: tiny, width: 1.0e+3}", "model: width must be a whole number"),
        ("model: {preset: tiny, width: 100000}", "model: width must be a whole number"),
        ("model: {preset: [tiny]}", "model: unknown preset"),
        ("model: {pairing: [[1.5, 2]]}", "model: pairing must be pairs"),
        ("model: {1: 2}", r"model: unknown model config key(s): 1"),
        ("1: 2", "unknown key(s) 1"),
        ("'': 2", "unknown key(s) ''"),
        ("vi: {'': 2}", "vi: unknown key(s) ''"),
        ("? ''\n: ''", "unknown key(s) ''"),
        ("[" * 5000, "nested too deeply"),
        ("vi: {lr: 2024-99-99}", "not a YAML file"),
        ("seed: !!int ''", "not a YAML file"),
        ("seed: !!timestamp x", "not a YAML file"),
        ("seed: !!bool x", "not a YAML file"),
        ("seed: !!python/object/apply:os.getcwd []", "not a YAML file"),
        (b"name: \xff", "not a YAML file"),
        (b"name: x\n#" + b"-" * 200_000, "too large for a recipe"),
    ],
)
def test_values_that_no_training_could_use(text: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, text)


def test_a_bomb_of_aliases_is_short_to_read_and_to_refuse(tmp_path: Path) -> None:
    """Written out, its text would have 10**20 characters."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    refusal(tmp_path, "\n".join([*lines, "name: *a19"]))
    refusal(tmp_path, "\n".join(["name: &a [[*a]]", "data: *a"]))
    for key in ("name", "model", "data", "seed", "vi"):
        body = "\n".join(f"  {line}" for line in lines)
        refusal(tmp_path, f"x: &x\n{body}\n{key}: *x")


def test_a_value_from_the_command_line() -> None:
    assert parse_yaml("[1, 2.5]", "--set x") == [1, 2.5]
    for text in ("[", "!!int ''", "2024-99-99", "[" * 5000):
        with pytest.raises(InputError, match="--set x: not a YAML file that can be read"):
            parse_yaml(text, "--set x")


def test_what_ships_is_within_all_bounds() -> None:
    for name in config_names():
        assert load_recipe(name).name
