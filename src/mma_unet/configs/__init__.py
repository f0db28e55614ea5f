"""The recipes and the gallery list that ship with the package, found by name.

See also: `mma_unet.training.load_recipe`, which reads a recipe.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mma_unet.errors import InputError
from mma_unet.files import kind_of

__all__ = ["config_names", "find_config"]


def config_names(folder: str = "") -> list[str]:
    """The names of what ships, in order.

    Args:
        folder: `""` for recipes, `"gallery"` for lists of pairs.

    Example:
        >>> config_names("gallery")
        ['hard']
    """
    found = [item.name for item in _home(folder).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def find_config(source: str | Path, folder: str = "") -> Traversable:
    """The file of a shipped name, or that at a path.

    Args:
        source: A name, as of `config_names`, or the path of a YAML file.
        folder: As for `config_names`.

    Raises:
        InputError: It is neither.

    Example:
        >>> find_config("small").name
        'small.yaml'
    """
    names = config_names(folder)
    if str(source) in names:
        return _home(folder) / f"{source}.yaml"
    path = Path(source)
    if kind_of(path) == "file":
        return path
    raise InputError(f"{source}: no such file; give a YAML file, or one of {', '.join(names)}")


def _home(folder: str) -> Traversable:
    home = files(__name__)
    return home / folder if folder else home
