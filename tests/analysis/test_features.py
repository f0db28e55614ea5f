"""Feature maps of a pair, and their sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mma_unet.analysis.encoders import load_encoders
from mma_unet.analysis.features import draw_sheet, feature_maps
from mma_unet.data import PairedImages, find_pairs, read_image
from tests.conftest import make_pairs


def test_the_maps_are_those_of_the_network(tmp_path: Path, weights: Path) -> None:
    pair = find_pairs(*make_pairs(tmp_path, ["a"], (40, 56))).pairs[0]
    encoders = load_encoders(weights)
    maps = feature_maps(encoders, pair)
    assert list(maps.images) == ["IR", "VI", "Fused"]
    assert list(maps.sums) == ["VI1+IR1", "VI1+IR2", "VI2+IR2", "VI2+IR3"]
    assert next(iter(maps.fused)) == "Fused VI1, IR2"
    assert len(maps.fused) == 4
    every = maps.images | maps.levels | maps.sums | maps.fused
    assert {values.shape for values in every.values()} == {(40, 56)}

    item = PairedImages([pair])[0]
    ir, vi = (F.pad(item[k][None], (0, 8, 0, 8), mode="replicate") for k in ("ir", "vi"))
    assert encoders.model is not None
    with torch.inference_mode():
        ir_features, vi_features = encoders.model.features(ir, vi)
        fused = encoders.model.forward_padded(item["ir"][None], item["vi"][None])
    first = vi_features[0].mean(dim=1)[0, :40, :56].numpy()
    np.testing.assert_allclose(maps.levels["VI1"], first, atol=1e-6)
    shallow = ir_features[0].mean(dim=1)[0, :40, :56].numpy()
    np.testing.assert_allclose(maps.sums["VI1+IR1"], first + shallow, atol=1e-6)
    np.testing.assert_allclose(maps.images["Fused"], fused[0, 0].clip(0, 1).numpy(), atol=1e-6)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_sheet(tmp_path: Path, weights: Path, suffix: str) -> None:
    pair = find_pairs(*make_pairs(tmp_path, ["a"], (40, 56))).pairs[0]
    target = tmp_path / f"sheet.{suffix}"
    draw_sheet(feature_maps(load_encoders(weights), pair), target, "a")
    assert [path.name for path in tmp_path.glob("*sheet*")] == [target.name]
    if suffix == "png":
        assert read_image(target).ndim == 3
    else:
        assert "<svg" in target.read_text()
