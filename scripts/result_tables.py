"""Fill the tables of README.md, docs/results.md and docs/models.md from results/ and the weights.

scripts/score_shipped.sh && python scripts/result_tables.py
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from mma_unet.benchmark.statistics import mean_ranks, rank_table
from mma_unet.models import count_macs, count_parameters, load_model, read_card, shipped_models
from mma_unet.tables import markdown, read_rows

ROOT = Path(__file__).resolve().parents[1]
METRICS = ("VIF", "SSIM", "PSNR", "Qabf", "Qcb")
SETS = {
    "roadscene": "RoadScene test, 25 pairs",
    "msrs": "MSRS test, 40 pairs",
    "tno": "TNO, 21 pairs (never trained on)",
}
UNSEEN = ("m3fd", "llvip")
SHIPPED = "small-metric-finish"
ORDER = (
    "small",
    "tiny",
    "small-thermal",
    "tiny-thermal",
    "small-metric",
    "tiny-metric",
    "small-paper",
)


def main() -> None:
    fill("README.md", "tables", tables())
    fill("README.md", "models", models())
    fill("docs/results.md", "tables", tables(intervals=True))
    fill("docs/results.md", "natural", natural())
    fill("docs/results.md", "study", study())
    fill("docs/results.md", "seeds", seeds())
    fill("docs/results.md", "frontier", frontier())
    fill("docs/models.md", "models", models())
    fill("docs/models.md", "scores", scores())


def fill(name: str, mark: str, text: str) -> None:
    """Put `text` between the two comments of `mark`."""
    page = ROOT / name
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(pattern, lambda m: m[1] + text + "\n" + m[2], old, flags=re.DOTALL)
    assert count == 1, (name, mark)
    page.write_text(new, encoding="utf-8")


def rows(path: str) -> list[dict[str, str]]:
    return read_rows(ROOT / "results" / path)


def digits(metric: str, value: float) -> str:
    return f"{value:.2f}" if metric == "PSNR" else f"{value:.3f}"


def tables(*, intervals: bool = False) -> str:
    """Every method on every set, the best in bold; with 95 % intervals where they were drawn.

    Weights that `compare` has not seen yet come with the means of their card. The mean rank is that
    of the means, over all methods of the table.
    """
    parts = []
    for name, title in SETS.items():
        found = [r for r in rows(f"{name}_test.csv") if r["stretched"] == "0"]
        means: dict[str, dict[str, float]] = defaultdict(dict)
        spans: dict[tuple[str, str], str] = {}
        for row in found:
            method, metric = row["method"], row["metric"]
            means[method][metric] = float(row["mean"])
            low, high = (digits(metric, float(row[f"mean_{end}"])) for end in ("low", "high"))
            spans[method, metric] = f" ({low} to {high})"
        for method in shipped_models():
            card = read_card(method).scores.get(f"{name}/test")
            if method not in means and card:
                means[method] = {metric: float(card[metric]) for metric in METRICS}
        table = np.array([[means[method][metric] for metric in METRICS] for method in means])
        ranks = mean_ranks(rank_table(table, [True] * len(METRICS)))
        body = []
        for method, rank, values in zip(means, ranks, table, strict=True):
            ours = method in ORDER
            cells = [f"**{method}** (ours)" if ours else method, f"{rank:.1f}"]
            for metric, value, best in zip(METRICS, values, table.max(axis=0), strict=True):
                text = digits(metric, value)
                text = f"**{text}**" if value == best else text
                cells.append(text + (spans.get((method, metric), "") if intervals and ours else ""))
            body.append(cells)
        body.sort(key=lambda cells: float(cells[1]))
        parts.append(f"**{title}**\n\n{markdown(['method', 'mean rank', *METRICS], body)}\n")
    return "\n".join(parts)


def natural() -> str:
    """The suite `natural`, as `scripts/natural_table.py` measured it."""
    parts = []
    found = rows("natural.csv")
    for name, kind in dict.fromkeys((row["set"], row["kind"]) for row in found):
        if (name, kind) == ("msrs", "all"):
            continue
        chosen = [row for row in found if (row["set"], row["kind"]) == (name, kind)]
        head = [key for key in chosen[0] if key not in ("set", "kind", "pairs")]
        body = [[row["method"], *(short(row[key]) for key in head[1:])] for row in chosen]
        title = f"**{name}, {kind}** ({chosen[0]['pairs']} pairs)"
        parts.append(f"{title}\n\n{markdown(head, body)}\n")
    return "\n".join(parts)


def short(value: str) -> str:
    return "" if value in ("", "nan") else f"{float(value):.2f}"


def models() -> str:
    """Size and training pairs of every shipped file."""
    body = []
    for name in sorted(shipped_models(), key=ORDER.index):
        model, card = load_model(name), read_card(name)
        size = (ROOT / "src/mma_unet/weights" / f"{name}.safetensors").stat().st_size
        pairs = ", ".join(f"{split} ({count})" for split, count in card.data.items())
        parameters = f"{count_parameters(model) / 1e6:.2f} M"
        macs = f"{count_macs(model, 480, 640) / 1e9:.2f}"
        label = f"`{name}`" + (" (default)" if name == "small" else "")
        body.append([label, parameters, macs, f"{size / 1e6:.1f} MB", pairs])
    head = ["name", "parameters", "GMACs at 480x640", "file", "training pairs"]
    return markdown(head, body)


def scores() -> str:
    """What the cards say, in single precision of the network."""
    body = []
    for name in sorted(shipped_models(), key=ORDER.index):
        for split, values in read_card(name).scores.items():
            cells = [digits(metric, float(values[metric])) for metric in METRICS]
            body.append([f"`{name}`", split, str(values["pairs"]), *cells])
    return markdown(["weights", "scored on", "pairs", *METRICS], body)


def study() -> str:
    """Each short training: means over pairs of the sets trained on, and of sets never seen."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows("recipe_study.csv"):
        found[row["recipe"]].append(row)
    body = []
    for recipe, splits in found.items():
        seen = [row for row in splits if row["split"] not in UNSEEN]
        unseen = [row for row in splits if row["split"] in UNSEEN]
        cells = [
            " / ".join(digits(m, pooled(group, m)) for group in (seen, unseen) if group)
            for m in METRICS
        ]
        body.append([f"**{recipe}**: {splits[0]['what']}", *cells])
    return markdown(["recipe", *METRICS], body)


def pooled(group: list[dict[str, str]], metric: str) -> float:
    """Mean over the pairs of several splits."""
    pairs = [int(row["pairs"]) for row in group]
    values = [float(row[metric]) for row in group]
    return sum(n * value for n, value in zip(pairs, values, strict=True)) / sum(pairs)


def seeds() -> str:
    """Mean and standard deviation of each score of the shipped recipe over the seeds."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows("seeds.csv"):
        if row["recipe"] == SHIPPED:
            found[row["split"]].append(row)
    body = []
    for split, runs in found.items():
        cells = []
        for metric in METRICS:
            values = [float(row[metric]) for row in runs]
            cells.append(f"{digits(metric, mean(values))} ± {stdev(values):.3f}")
        body.append([split, runs[0]["pairs"], *cells])
    return markdown(["split", "pairs", *METRICS], body)


def frontier() -> str:
    """Optimized pixels beside `small-metric` on the same pairs."""
    parts = []
    for name, title in SETS.items():
        if not (ROOT / "results" / f"frontier_{name}.csv").is_file():
            continue
        found = rows(f"frontier_{name}.csv")
        pairs = sorted({row["pair"] for row in found})
        body = []
        for objective in dict.fromkeys(row["objective"] for row in found):
            chosen = [row for row in found if row["objective"] == objective]
            means = {m: sum(float(r[m]) for r in chosen) / len(chosen) for m in METRICS}
            body.append([objective, *(digits(m, means[m]) for m in METRICS)])
        ours = [r for r in rows(f"{name}_small-metric_scores.csv") if r["name"] in pairs]
        means = {m: sum(float(r[m]) for r in ours) / len(ours) for m in METRICS}
        body.append(["**small-metric**", *(digits(m, means[m]) for m in METRICS)])
        joint = [row for row in found if row["objective"] == "joint"]
        share = [means[m] / (sum(float(r[m]) for r in joint) / len(joint)) for m in METRICS]
        body.append(
            ["small-metric as a share of joint", *(f"{100 * value:.0f} %" for value in share)]
        )
        label = f"**{title.split(',')[0]}**, {len(pairs)} pair(s)"
        parts.append(f"{label}\n\n{markdown(['climbed', *METRICS], body)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    main()
