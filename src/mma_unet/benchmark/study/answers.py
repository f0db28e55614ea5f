"""Reading the rankings of one rater."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mma_unet.benchmark.study.key import Key
from mma_unet.errors import InputError

__all__ = ["read_answers"]


def read_answers(path: Path, key: Key) -> tuple[str, dict[str, dict[str, int]]]:
    """Read one rater's answers.

    Args:
        path: JSON: `{"study": ..., "rater": ..., "answers": {pair: ranking}}`. A ranking is letters
            from best to worst, `=` between tied ones; blanks and `>` may stand between letters,
            and an empty one is passed over. `study` and `rater` may be left out.
        key: What the letters mean.

    Returns:
        The rater, and by pair the number of better ones of each method.

    Raises:
        InputError: The file is no such JSON, belongs to another study, names an unknown pair, or a
            ranking does not name each letter once.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        answers = {str(name): str(ranking) for name, ranking in raw["answers"].items()}
        study, rater = raw.get("study", key.study), str(raw.get("rater") or path.stem)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path} holds no answers: give JSON as {{"answers": {{"PAIR": "B>A=C"}}}}.'
        ) from error
    if study != key.study:
        raise InputError(f"{path} answers another study ({study}, not {key.study}).")
    placed: dict[str, dict[str, int]] = {}
    for name, ranking in answers.items():
        if name not in key.pairs:
            raise InputError(f"{path}: the study has no pair {name}.")
        letters = key.pairs[name].letters
        groups = _groups(ranking)
        if not groups:
            continue
        flat = [letter for group in groups for letter in group]
        if sorted(flat) != sorted(letters):
            raise InputError(
                f"{path}: {name} is ranked {ranking!r}; name each of {''.join(letters)} once, "
                "best first, with = between tied ones."
            )
        above = 0
        placed[name] = {}
        for group in groups:
            placed[name] |= {letters[letter]: above for letter in group}
            above += len(group)
    return rater, placed


def _groups(ranking: str) -> list[list[str]]:
    """Tied letters, best group first.

    Example:
        >>> _groups("b > A=c")
        [['B'], ['A', 'C']]
    """
    plain = re.sub(r"[\s>]", "", ranking).upper()
    return [group.split("=") for group in re.split(r"(?<!=)(?!=|^|$)", plain) if group]
