"""Mutation run: how many small faults put into the code do the tests of its room catch?

    pip install cosmic-ray
    python scripts/mutation.py --sample 100 --out results/mutation.csv

cosmic-ray makes the mutants of `models`, `losses`, `metrics`, `inference/sources.py` and
`data/pairs.py`; of each room a seeded sample is tried on a copy of the tree, with that room's
tests. A survivor is written with its line, so that the reason can be noted beside it. Not in CI.
Operators on `|` are left out: here it stands in annotations, which are not evaluated.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.modules import find_modules
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from rich.progress import track

from mma_unet.tables import write_table

HERE = Path(__file__).parents[1]
ROOMS = {
    "models": ("models", ["tests/models"]),
    "losses": ("losses", ["tests/test_losses.py", "tests/test_scene_losses.py"]),
    "metrics": ("metrics", ["tests/metrics"]),
    "sources": (
        "inference/sources.py",
        ["tests/inference/test_fuser.py", "tests/inference/test_canvas.py"],
    ),
    "pairs": ("data/pairs.py", ["tests/data/test_pairs.py"]),
}
"""What is mutated, and the tests that are to notice."""


COLUMNS = ["room", "file", "line", "operator", "result", "mutant"]


def mutants(source: Path) -> list[tuple[Path, str, int, int]]:
    """All mutants of one file: file, operator, which occurrence of it, line."""
    tree, found = get_ast_from_path(source), []
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if "BitOr" in name or kind.arguments():
            continue
        operator = kind()
        places = [place for node in ast_nodes(tree) for place in operator.mutation_positions(node)]
        found += [(source, name, index, start[0]) for index, (start, _) in enumerate(places)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=100, help="mutants tried in each room")
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=120, help="seconds for the tests of one")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "mutation.csv")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns(".git", ".venv", "runs"))
        for room in args.rooms:
            place, tests = ROOMS[room]
            if not passes(copy, tests, 10 * args.timeout):
                raise SystemExit(f"{room}: its tests fail before anything is mutated")
            files = sorted(find_modules([copy / "src" / "mma_unet" / place]))
            every = [mutant for file in files for mutant in mutants(file)]
            chosen = random.Random(args.seed).sample(every, min(args.sample, len(every)))
            for file, operator, occurrence, line in track(chosen, room):
                original = file.read_text(encoding="utf-8")
                changed = mutate_code(original, get_operator(operator)(), occurrence) or original
                file.write_text(changed, encoding="utf-8")
                try:
                    killed = not passes(copy, tests, args.timeout)
                finally:
                    file.write_text(original, encoding="utf-8")
                text = changed.splitlines()[line - 1].strip() if not killed else ""
                name = str(file.relative_to(copy / "src" / "mma_unet"))
                rows.append([room, name, line, operator, "killed" if killed else "survived", text])
                write_table(args.out, COLUMNS, rows)
    for room in args.rooms:
        mine = [row for row in rows if row[0] == room]
        killed = sum(row[4] == "killed" for row in mine)
        print(f"{room}: {killed} of {len(mine)} killed ({killed / max(len(mine), 1):.0%})")


def passes(tree: Path, tests: list[str], timeout: float) -> bool:
    """Whether the tests of a room pass in this tree."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a stale .pyc would hide a mutant
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


if __name__ == "__main__":
    main()
