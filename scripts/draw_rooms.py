"""Draw the rooms of the package and the imports between them, from the code itself.

    python scripts/draw_rooms.py docs/images/rooms.svg

Floors are the layers of the import rules in `pyproject.toml`; an arrow is drawn from each room to
the rooms it imports, the thicker the more modules do so. An arrow upwards would be red; a circle
cannot be without one. Prints all arrows; those to the ground floor, which every room may use, are
not drawn.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections import Counter
from pathlib import Path

import grimp
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parents[1]
NAME = "mma_unet"


def floors() -> list[list[str]]:
    """Rooms by floor, the top one first, as the import rules list them."""
    rules = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    layers = rules["tool"]["importlinter"]["contracts"][0]["layers"]
    return [re.findall(r"\w+", layer) for layer in layers]


def imports() -> Counter[tuple[str, str]]:
    """How many imports lead from one room to another."""
    graph = grimp.build_graph(NAME)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            rooms = [name.split(".")[1] for name in (module, target) if "." in name]
            if len(rooms) == 2 and rooms[0] != rooms[1]:
                found[rooms[0], rooms[1]] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    arrows = imports()
    named = {room for pair in arrows for room in pair}
    there = [[room for room in floor if room in named] for floor in floors()]
    there = [floor for floor in there if floor]
    places = {
        room: ((index + 0.5) / len(floor) * 10, -level)
        for level, floor in enumerate(there)
        for index, room in enumerate(floor)
    }
    ground = places["files"][1]
    figure, axes = plt.subplots(figsize=(10, 1.25 * len(there)))
    for (source, target), count in sorted(arrows.items()):
        if not {source, target} <= set(places):
            continue  # recipes and weights: data, not code
        (x, y), (u, v) = places[source], places[target]
        upward = v >= y
        print(f"{source} -> {target}: {count}{'  UPWARD' if upward else ''}")
        if y - v > 0 and v <= ground:
            continue
        style = {
            "arrowstyle": "-|>",
            "color": "red" if upward else "0.6",
            "linewidth": 0.5 + 0.12 * min(count, 20),
            "shrinkA": 14,
            "shrinkB": 14,
            "connectionstyle": "arc3,rad=0.06",
        }
        axes.annotate("", (u, v), (x, y), arrowprops=style)
    for room, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "0.2"}
        axes.text(x, y, room, ha="center", va="center", bbox=box, zorder=3)
    axes.set(xlim=(0, 10), ylim=(0.5 - len(there), 0.5))
    axes.axis("off")
    out.parent.mkdir(parents=True, exist_ok=True)
    plt.rcParams["svg.hashsalt"] = NAME
    figure.savefig(
        out, bbox_inches="tight", metadata={"Date": None} if out.suffix == ".svg" else {}
    )


if __name__ == "__main__":
    main()
