"""Reading a recipe from YAML: every key known, every value of its type, every error one sentence.

See also: `mma_unet.training.recipe`, what a recipe is; `mma_unet.configs`, those that ship.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from reprlib import repr as _brief
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import yaml

from mma_unet.configs import find_config
from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig, preset
from mma_unet.training.recipe import Recipe, StageSettings

__all__ = ["load_recipe", "parse_yaml"]

_MOST_BYTES = 100_000
"""Recipes have about two thousand; reading YAML is slow."""

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
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        text = data.decode("utf-8")
    except (UnicodeDecodeError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source}: not a YAML file that can be read ({reason})") from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"{source}: too large for a recipe; give a file of a few lines")
    values = parse_yaml(text, str(source))
    if not isinstance(values, dict):
        raise InputError(f"{source}: a recipe is a mapping of settings, not {_brief(values)}")
    for dotted, value in (overrides or {}).items():
        _override(values, dotted, value)
    return _recipe({"name": file.name.rpartition(".")[0] or file.name, **values}, str(source))


def parse_yaml(text: str, where: str) -> Any:
    """Plain values from YAML that may be damaged or made to do harm.

    Args:
        text: YAML.
        where: What to name in an error.

    Raises:
        InputError: It is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = f"a value of another type than its tag: {str(error).splitlines()[0]}"
    except RecursionError:
        reason = "nested too deeply"
    raise InputError(f"{where}: not a YAML file that can be read ({reason[:200]})")


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
        return preset(values[:80])
    values = dict(values)
    start = preset(str(values.pop("preset"))[:80]).to_dict() if "preset" in values else {}
    return MMAUNetConfig.from_dict({**start, **values})


def _build(cls: type[Any], values: Any, where: str, default: Any = None) -> Any:
    """Fill a settings dataclass from a mapping; unknown keys and wrong types are errors."""
    if not isinstance(values, dict):
        raise InputError(f"{where}: give a mapping of settings, not {_brief(values)}")
    hints = get_type_hints(cls)
    unknown = [_brief(key).strip("'") or "''" for key in values if key not in hints]
    if unknown:
        raise InputError(
            f"{where}: unknown key(s) {', '.join(unknown)}; known are {', '.join(hints)}"
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
    plain = hint if isinstance(hint, type) and origin is None else ()
    if isinstance(value, plain):
        sound = not (hint is float and not math.isfinite(cast(float, value)))
        sound &= not (hint is str and "\0" in cast(str, value))
        if sound and isinstance(value, bool) == (hint is bool):
            return value
    elif is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where)
    elif origin is UnionType and value is None:
        return None
    elif origin is UnionType:
        return _typed(value, options[0], where)
    elif hint is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):  # YAML 1.1 reads 1e-3 as text
            if math.isfinite(number := float(value)):
                return number
    elif origin is dict and isinstance(value, dict):
        return {str(k): _typed(v, options[1], f"{where}.{k}") for k, v in value.items()}
    elif origin is tuple and isinstance(value, (list, tuple)):
        item = options[0]
        if options[-1] is Ellipsis or len(value) == len(options):
            return tuple(_typed(v, item, where) for v in value)
    name = str(hint) if origin is not None else getattr(hint, "__name__", str(hint))
    raise InputError(f"{where}: give {_PLAIN.get(name, name)}, not {_brief(value)}")
