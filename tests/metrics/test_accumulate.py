"""The torchmetrics wrappers: means over batches, over processes, and what they declare."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.metrics import METRICS, SUITES, FusionMetric, metric_collection, score_batch


def batches(count: int = 3) -> list[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(count, 3, 2, 1, 48, 48, generator=generator, dtype=torch.float64)
    return [(each[0], each[1], each[2]) for each in images]


def test_accumulates_the_mean_over_all_images() -> None:
    data = [*batches(2), tuple(image[:1] for image in batches(3)[2])]  # uneven batches
    metric = FusionMetric("vif")
    for batch in data:
        metric.update(*batch)
    values = torch.cat([METRICS["vif"].function(*batch) for batch in data])
    assert metric.compute().item() == pytest.approx(values.mean().item(), abs=1e-12)
    assert metric.count.item() == 5
    metric.reset()
    assert metric.count.item() == 0


def test_two_processes_reduce_to_the_mean_over_both() -> None:
    data = batches(3)
    workers = [FusionMetric("qabf"), FusionMetric("qabf")]
    workers[0].update(*data[0])
    workers[0].update(*data[1])
    workers[1].update(*data[2])
    whole = FusionMetric("qabf")
    for batch in data:
        whole.update(*batch)
    # What torchmetrics does after gathering: stack each state and apply its reduction.
    merged = FusionMetric("qabf")
    for state, reduce in merged._reductions.items():
        gathered = torch.stack([getattr(worker, state) for worker in workers])
        assert callable(reduce)
        setattr(merged, state, reduce(gathered))
    merged._update_count = 1
    assert merged.compute().item() == pytest.approx(whole.compute().item(), abs=1e-14)


def _one_of_two(rank: int, store: str, results: str) -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    collection = metric_collection("paper")
    data = batches(3)
    for batch in data[:2] if rank == 0 else data[2:]:
        collection.update(*batch)
    torch.save(collection.compute(), f"{results}{rank}")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_real_processes_agree_with_one(tmp_path: pytest.TempPathFactory) -> None:
    import torch.multiprocessing as mp

    paths = (f"{tmp_path}/store", f"{tmp_path}/result")
    mp.spawn(_one_of_two, args=paths, nprocs=2)
    alone = metric_collection("paper")
    for batch in batches(3):
        alone.update(*batch)
    for rank in range(2):
        together = torch.load(f"{paths[1]}{rank}")
        for label, value in alone.compute().items():
            torch.testing.assert_close(together[label], value, rtol=1e-12, atol=1e-12)


def test_undefined_images_are_left_out_and_counted() -> None:
    fused, ir, vi = batches(1)[0]
    ir = ir.clone()
    ir[0] = 0.5  # constant: Qcb is not defined
    metric = FusionMetric("qcb")
    metric.update(fused, ir, vi)
    assert metric.undefined.item() == 1
    alone = METRICS["qcb"].function(fused[1:], ir[1:], vi[1:])
    assert metric.compute().item() == pytest.approx(alone.item(), abs=1e-12)
    metric.reset()
    metric.update(fused[:1], ir[:1], vi[:1])
    assert math.isnan(metric.compute().item())


@pytest.mark.parametrize("suite", ["canonical", "all"])
def test_images_too_small_for_a_metric_are_undefined_for_it_alone(suite: str) -> None:
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(3, 2, 1, 12, 12, generator=generator, dtype=torch.float64)
    collection = metric_collection(suite)
    collection.update(*images)
    expected = score_batch(*images, suite=suite)
    means = collection.compute()
    for label, values in expected.items():
        metric = collection[label]
        assert isinstance(metric, FusionMetric)
        assert metric.undefined == torch.isnan(values).sum()
        assert metric.count + metric.undefined == 2
        torch.testing.assert_close(means[label], values.nanmean(), equal_nan=True)
    assert collection["MS-SSIM"].undefined == collection["VIF"].undefined == 2


def test_a_refused_batch_leaves_every_state_as_it_was() -> None:
    collection = metric_collection("canonical")
    fused, ir, vi = batches(1)[0]
    collection.update(fused, ir, vi)
    with pytest.raises(InputError, match="data_range"):
        collection.update(255 * fused, ir, vi)
    with pytest.raises(InputError, match="one shape"):
        collection.update(fused, ir[:1], vi)
    assert {int(m.count + m.undefined) for m in collection.values()} == {2}


@pytest.mark.parametrize("name", METRICS)
def test_declares_direction_and_differentiability(name: str) -> None:
    metric = FusionMetric(name)
    assert metric.higher_is_better is METRICS[name].higher_is_better
    assert metric.is_differentiable is METRICS[name].differentiable


@pytest.mark.parametrize("suite", ["paper", "cddfuse", "vifb"])
def test_collections_hold_a_suite_by_label(suite: str) -> None:
    collection = metric_collection(suite)
    labels = {METRICS[name].label for name in SUITES[suite]}
    assert set(collection) == labels
    batch = batches(1)[0]
    collection.update(*batch)
    expected = score_batch(*batch, suite=suite)
    for label, value in collection.compute().items():
        assert value.item() == pytest.approx(expected[label].mean().item(), abs=1e-10)


def test_takes_0_to_255_and_survives_pickling() -> None:
    batch = batches(1)[0]
    metric = FusionMetric("ssim", data_range=255.0)
    metric.update(*(image * 255 for image in batch))
    unit = FusionMetric("ssim")
    unit.update(*batch)
    assert metric.compute().item() == pytest.approx(unit.compute().item(), abs=1e-12)
    copy = pickle.loads(pickle.dumps(metric))
    assert copy.compute().item() == metric.compute().item()


def test_refuses_unknown_names() -> None:
    with pytest.raises(InputError, match="no suite or metric"):
        FusionMetric("nothing")
    with pytest.raises(InputError, match="no suite or metric"):
        metric_collection("nothing")
