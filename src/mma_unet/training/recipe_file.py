"""Reading a recipe from YAML: every key known, every value of its type, every error one sentence.

See also: `mma_unet.training.recipe`, what a recipe is; `mma_unet.configs`, those that ship.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from mma_unet.configs import find_config
from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig, preset
from mma_unet.training.recipe import Recipe, StageSettings

__all__ = ["load_recipe"]

_PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "tuple[str, ...]": "a list of names",
    "tuple[float, float]": "a list of two numbers",
    "tuple[float, float] | None": "a list of two numbers, or null",
    "dict[str, float]": "a mapping of names to numbers",
}


def load_recipe(source: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe from YAML.

    Args:
        source: Name of a shipped recipe, see `mma_unet.configs`, or the path of a YAML file.
        overrides: Dotted keys that replace values of the file, e.g. `{"fusion.epochs": 5}`.

    Raises:
        InputError: If there is no such recipe, it is not YAML, or has an unknown key or a bad
            value.

    Example:
        >>> load_recipe("paper", {"fusion.epochs": 5}).fusion.epochs
        5
    """
    file = find_config(source)
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source}: not a YAML file that can be read ({reason})") from error
    if not isinstance(values, dict):
        raise InputError(f"{source}: a recipe is a mapping of settings, not {values!r}")
    for dotted, value in (overrides or {}).items():
        _override(values, dotted, value)
    return _recipe({"name": file.name.rpartition(".")[0] or file.name, **values}, str(source))


def _override(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set the value at a dotted key."""
    *parents, last = dotted.split(".")
    for parent in parents:
        child = values.get(parent)
        if parent == "model" and isinstance(child, str):
            child = {"preset": child}
        if child is not None and not isinstance(child, dict):
            raise InputError(f"{dotted}: {parent} has no settings of its own")
        values[parent] = dict(child or {})  # a copy: YAML aliases share their mapping
        values = values[parent]
    values[last] = value


def _recipe(values: dict[str, Any], where: str) -> Recipe:
    try:
        values["model"] = _model(values.get("model", "paper"))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{where}: model: {error}") from error
    default = StageSettings(lr=1e-4)
    for stage in ("fusion", "search"):  # what a search leaves out is as in the fusion
        if stage == "fusion" or values.get(stage) is not None:
            default = _build(StageSettings, values.get(stage, {}), f"{where}: {stage}", default)
            values[stage] = default
    recipe: Recipe = _build(Recipe, values, where)
    return recipe


def _model(values: Any) -> MMAUNetConfig:
    if isinstance(values, str):
        return preset(values)
    values = dict(values)
    start = preset(values.pop("preset")).to_dict() if "preset" in values else {}
    return MMAUNetConfig.from_dict({**start, **values})


def _build(cls: type[Any], values: Any, where: str, default: Any = None) -> Any:
    """Fill a settings dataclass from a mapping; unknown keys and wrong types are errors."""
    if not isinstance(values, dict):
        raise InputError(f"{where}: give a mapping of settings, not {values!r}")
    hints = get_type_hints(cls)
    unknown = set(values) - set(hints)
    if unknown:
        raise InputError(
            f"{where}: unknown key(s) {', '.join(map(str, unknown))}; known are {', '.join(hints)}"
        )
    base = {} if default is None else {f.name: getattr(default, f.name) for f in fields(default)}
    for key, value in values.items():
        base[key] = _typed(value, hints[key], f"{where}: {key}")
    try:
        return cls(**base)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def _typed(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotation `hint` asks for it, or an error that says what to give."""
    origin, options = get_origin(hint), get_args(hint)
    if isinstance(value, hint if isinstance(hint, type) and origin is None else ()):
        if isinstance(value, bool) == (hint is bool):
            return value
    elif is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where)
    elif origin is UnionType and value is None:
        return None
    elif origin is UnionType:
        return _typed(value, options[0], where)
    elif hint is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        with suppress(ValueError):
            return float(value)  # YAML 1.1 reads 1e-3 as text
    elif origin is dict and isinstance(value, dict):
        return {str(k): _typed(v, options[1], f"{where}.{k}") for k, v in value.items()}
    elif origin is tuple and isinstance(value, (list, tuple)):
        item = options[0]
        if options[-1] is Ellipsis or len(value) == len(options):
            return tuple(_typed(v, item, where) for v in value)
    name = str(hint) if origin is not None else getattr(hint, "__name__", str(hint))
    raise InputError(f"{where}: give {_PLAIN.get(name, name)}, not {value!r}")
