"""Studies that train: the orderings of table 4, the offset search and its judgement."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig
from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training import Recipe
from mma_unet.training.ablation import METRICS, TABLE_4, orderings
from mma_unet.training.offsets import SearchResult, composite, judge
from mma_unet.training.pairing import PairingChoice
from mma_unet.training.recipe import DataSettings, StageSettings
from mma_unet.training.study import Outcome, Study
from tests.conftest import make_pairs


def test_table_4_is_the_paper_s(shared: Path) -> None:
    with (shared / "paper" / "table4_ablation_m3fd.csv").open() as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert rows.keys() == TABLE_4.keys()
    for name, scores in TABLE_4.items():
        assert {m: float(rows[name][m]) for m in METRICS} == scores


def test_orderings_hold_fail_or_drown() -> None:
    paper = {"A": {"VIF": 2.0}, "B": {"VIF": 1.0}}

    def verdict(a: list[float], b: list[float]) -> str:
        ours = {"A": [{"VIF": x} for x in a], "B": [{"VIF": x} for x in b]}
        (row,) = orderings(ours, paper)
        assert (row.better, row.worse, row.paper) == ("A", "B", 1.0)
        return row.verdict

    assert verdict([2, 3, 4], [1, 2, 3.1]) == "holds"  # paired: the seeds differ, the gap does not
    assert verdict([1, 2, 3.1], [2, 3, 4]) == "does not hold"
    assert verdict([2, 3, 4], [3, 3, 3]) == "within spread"
    equal = orderings({"A": [], "B": []}, {"A": {"VIF": 1.0}, "B": {"VIF": 1.0}})
    assert equal == []


def test_orderings_cover_every_pair_and_metric_of_table_4() -> None:
    ours = {name: [scores, scores] for name, scores in TABLE_4.items()}
    rows = orderings(ours)
    assert len(rows) == 10 * len(METRICS)  # no two are equal in the paper
    assert {row.verdict for row in rows} == {"holds"}
    assert all(row.paper > 0 and row.ours == pytest.approx(row.paper) for row in rows)


def outcome(value: float) -> Outcome:
    return Outcome({"t": {"pairs": 2, **dict.fromkeys(METRICS, value)}}, 0.0, 1.0)


def result(cka: list[int], learned: list[int]) -> SearchResult:
    values = {-2: 0.0, -1: 1.0, 0: 4.0, 1: 5.0, 2: 2.0}
    noise = [0.0, 10.0, 20.0]  # a whole seed better than another says nothing about offsets
    outcomes = {o: [outcome(v + n) for n in noise] for o, v in values.items()}
    choices = [[PairingChoice("x", offset_pairing(o)) for o in chosen] for chosen in (cka, learned)]
    return SearchResult("toy", (0, 1, 2), outcomes, choices[0], choices[1], [])


def test_composite_takes_the_seed_out_and_orders_the_offsets() -> None:
    table = composite(result([], []).outcomes)
    assert sorted(table, key=lambda o: table[o][0]) == [-2, -1, 2, 0, 1]
    for values in table.values():
        assert np.ptp(values) < 1e-9
    assert np.isclose(np.mean(list(table.values())), 0)


def test_judgement() -> None:
    rows = {row.method: row for row in judge(result([1, 1, 1], [0, 1, 0]))}
    assert rows["cka"].verdict == "best"
    assert rows["cka"].best == 1
    assert rows["learned"].chosen == (0, 1, 0)
    assert rows["learned"].verdict == "worse"  # the gap is larger than its spread
    assert rows["learned"].regret > 0
    assert rows["always +1"].verdict == "best"
    assert rows["always +0"].verdict == "worse"
    once = {row.method: row for row in judge(result([1, 1, -2], [1, 1, 1]))}
    assert once["cka"].verdict == "as good"  # wrong once in three: within the spread


def test_one_seed_has_no_spread_to_judge_by() -> None:
    whole = result([1], [0])
    single = replace(whole, seeds=(0,), outcomes={o: row[:1] for o, row in whole.outcomes.items()})
    rows = {row.method: row.verdict for row in judge(single)}
    assert rows["cka"] == "best"
    assert rows["learned"] == "one seed"


def test_outcome_mean_weighs_splits_by_their_pairs() -> None:
    scores = {"a": {"pairs": 1, "VIF": 1.0}, "b": {"pairs": 3, "VIF": 2.0}}
    assert Outcome(scores, 0, 0).mean("VIF") == 1.75


def test_recipes_that_cannot_be_studied_are_one_sentence(tmp_path: Path) -> None:
    data = DataSettings(test=("set",))
    recipe = Recipe("toy", MMAUNetConfig(width=2), data)
    for change, message in (
        ({"start": "tiny"}, "leave out start"),
        ({"data": DataSettings()}, "nothing to score on"),
        ({"model": MMAUNetConfig(width=2, depth=4, pairing=((1, 2),))}, "5 levels"),
    ):
        with pytest.raises(InputError, match=message):
            Study(replace(recipe, **change), tmp_path)


def test_every_offset_is_a_candidate() -> None:
    assert set(result([], []).outcomes) == set(OFFSETS)


def test_a_curve_whose_last_epoch_was_not_validated_ends_no_study(tmp_path: Path) -> None:
    make_pairs(tmp_path / "set", [f"{k}" for k in range(4)], (32, 32))
    data = DataSettings(
        root=str(tmp_path), train=("set[:2]",), val=("set[2:3]",), test=("set[3:]",),
        crop=16, val_crop=16, batch_size=2,
    )  # fmt: skip
    stage = StageSettings(epochs=3, val_every=2)
    recipe = Recipe("toy", MMAUNetConfig(width=1), data, stage, stage, stage, precision="32-true")
    study = Study(recipe, tmp_path / "runs", accelerator="cpu")
    study.stage_one(0, True)
    outcome = study.fusion(0, True, offset_pairing(1))
    with (tmp_path / "runs/toy/seed0/guided_1-2_2-3_3-4_4-5/fusion/curve.csv").open() as file:
        losses = [row["val_loss"] for row in csv.DictReader(file)]
    assert losses[0] == losses[2] == ""
    assert outcome.val_loss == float(losses[1])
