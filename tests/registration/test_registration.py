"""Alignment of two cameras: what was moved by a known amount is found again, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mma_unet.data import write_image
from mma_unet.errors import InputError
from mma_unet.registration import (
    Rig,
    apply,
    calibrate,
    check_rig,
    checkerboard,
    common_window,
    cover,
    estimate,
    from_points,
    read_points,
)
from mma_unet.registration.geometry import corner_error, move, resizing, similarity, warp
from mma_unet.scene import render_scene

SIZE = (180, 240)
MOTIONS = [(0.0, 1.0, 0, 0), (7.0, 0.85, 20, -12), (-8.0, 1.2, -22, 10)]


def moved(
    seed: int, turn: float, scale: float, dx: float, dy: float, factor: float = 0.67
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """IR and VI of a rendered street, and IR pixels to VI pixels."""
    scene = render_scene(*SIZE, seed, supersample=1)
    small = round(factor * SIZE[0]), round(factor * SIZE[1])
    true = similarity(scale, turn, (120, 90)) @ resizing(small, SIZE)
    true[:2, 2] += dx, dy
    return warp(scene.ir, np.linalg.inv(true), small), scene.vi, true


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_known_motion_is_found(motion: tuple[float, float, float, float]) -> None:
    ir, vi, true = moved(3, *motion)
    found = estimate(ir, vi)
    assert found.accepted, found.why
    assert corner_error(found.matrix, true, SIZE) < 12
    assert "edges agree" in found.why


def test_polarity_depth_and_range_do_not_matter(tmp_path: Path) -> None:
    ir, vi, true = moved(4, 3, 1.1, 8, 5)
    raw = (30_000 - 4 * ir.astype(np.uint16)).astype(np.uint16)
    write_image(tmp_path / "ir.png", raw)
    write_image(tmp_path / "vi.png", vi)
    for thermal in (tmp_path / "ir.png", ir.astype(np.float32) * 1e-4 + 0.3, 255 - ir):
        found = estimate(thermal, tmp_path / "vi.png")
        assert found.accepted, found.why
        assert corner_error(found.matrix, true, SIZE) < 12


@pytest.mark.parametrize("kind", ["noise", "blank", "turned"])
def test_what_cannot_be_aligned_is_refused(kind: str) -> None:
    scene = render_scene(*SIZE, 5, supersample=1)
    rng = np.random.default_rng(0)
    ir = {
        "noise": rng.integers(0, 255, SIZE, dtype=np.uint8),
        "blank": np.full(SIZE, 9, np.uint8),
        "turned": np.ascontiguousarray(scene.ir[::-1, ::-1].T),
    }[kind]
    found = estimate(ir, scene.vi)
    assert not found.accepted
    advice = "another pair" if kind == "blank" else "mma-unet align points"
    assert advice in found.why
    assert "\n" not in found.why


def test_bad_arrays() -> None:
    with pytest.raises(InputError, match="shape"):
        estimate(np.zeros((2, 3, 4, 5)), np.zeros(SIZE))
    with pytest.raises(InputError, match="16 at least"):
        estimate(np.zeros((8, 90)), np.zeros(SIZE))
    with pytest.raises(InputError, match="no numbers"):
        estimate(np.full(SIZE, np.nan), np.zeros(SIZE))


def test_a_rig_is_found_kept_and_scaled(tmp_path: Path) -> None:
    made = [moved(seed, -4, 0.9, 9, 7) for seed in range(4)]
    rig = calibrate([(ir, vi) for ir, vi, _ in made], [f"street{i}" for i in range(4)])
    true = made[0][2]
    assert corner_error(rig.matrix, true, SIZE) < 8
    rig.save(tmp_path / "rig.json")
    again = Rig.load(tmp_path / "rig.json")
    assert np.array_equal(again.matrix, rig.matrix)
    assert (again.ir_size, again.vi_size, again.pairs) == (rig.ir_size, SIZE, rig.pairs)
    assert json.loads((tmp_path / "rig.json").read_text())["vi_size"]["width"] == 240
    # The same cameras at twice the pixels of VI: corners land on corners.
    double = rig.matrix_for(rig.ir_size, (360, 480))
    assert np.allclose(double, resizing(SIZE, (360, 480)) @ rig.matrix)
    for ir, vi in (((120, 120), SIZE), (rig.ir_size, (180, 200))):
        with pytest.raises(InputError, match="another shape"):
            rig.matrix_for(ir, vi)

    holds = check_rig(rig, [(ir, vi) for ir, vi, _ in made[:2]])
    assert holds.holds, holds.why
    bumped = similarity(1.0, 0.0, (0, 0))
    bumped[0, 2] = 16
    gone = Rig(bumped @ rig.matrix, rig.ir_size, SIZE, rig.model, rig.confidence)
    drifted = check_rig(gone, [(ir, vi) for ir, vi, _ in made[:2]])
    assert not drifted.holds
    assert 8 < drifted.drift < 28
    assert "calibrate anew" in drifted.why


def test_a_small_view_is_found_from_a_rough_rig() -> None:
    size = (270, 360)
    true = np.array([[0.5, 0, 100], [0, 0.5, 70], [0, 0, 1]])
    scenes = [render_scene(*size, seed, supersample=1) for seed in (0, 1)]
    pairs = [(warp(s.ir, np.linalg.inv(true), (270, 360)), s.vi) for s in scenes]
    rough = Rig(np.array([[1.0, 0, 5], [0, 1, -4], [0, 0, 1]]) @ true, size, size, "affine", 0.0)
    rig = calibrate(pairs, start=rough)
    inside = np.array([[0.0, 0], [359, 0], [359, 269], [0, 269]])
    off = np.linalg.norm(move(rig.matrix, inside) - move(true, inside), axis=1)
    assert off.mean() < 2.5


def test_what_is_no_rig(tmp_path: Path) -> None:
    for name, text in (("a", "{}"), ("b", "no json"), ("c", '{"matrix": [[1]]}'), ("d", "[1]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=f"{name} is not a rig"):
            Rig.load(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        Rig.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="no pair"):
        calibrate([])
    blank = np.zeros((32, 40), np.uint8)
    with pytest.raises(InputError, match="second: the visible picture is 32x32 pixels"):
        calibrate([(blank, blank), (blank, blank[:, :32])], ["first", "second"])


@pytest.mark.parametrize("count", [2, 3, 6, 8])
def test_points(count: int, tmp_path: Path) -> None:
    true = similarity(1.5, 5, (30, 40))
    true[:2, 2] += 60
    if count >= 8:
        true[2, :2] = 1e-4, -5e-5
    rng = np.random.default_rng(count)
    ir = np.c_[rng.uniform(5, 150, count), rng.uniform(5, 110, count)]
    vi = move(true, ir)
    table = tmp_path / "points.csv"
    lines = [",".join(map(str, row)) for row in np.c_[ir, vi]]
    table.write_text("\n".join(["ir_x,ir_y,vi_x,vi_y", *lines]))
    rig = from_points(read_points(table), (120, 160), (400, 400))
    assert rig.model == {2: "similarity", 8: "homography"}.get(count, "affine")
    assert corner_error(rig.matrix, true, (120, 160)) < 1e-3


def test_points_that_are_wrong(tmp_path: Path) -> None:
    good = np.array([[x, y, x + 5, y + 3] for x in (10, 80, 150) for y in (10, 60, 110)], float)
    slip = good.copy()
    slip[4, 2] += 60
    for points, message in (
        (good[:1], "give two at least"),
        (slip[:7], "point 5 does not fit"),
        (slip, "point 5 does not fit"),
        (good + np.array([0, 0, 500, 0]), "point 1 .* is outside of VI"),
        (good[[0, 1, 2]], "on one line"),
        (good[[0, 0]], "in one place"),
    ):
        with pytest.raises(InputError, match=message):
            from_points(points, (120, 160), (130, 170))
    (tmp_path / "p.csv").write_text("ir_x,ir_y\n1,2\n")
    with pytest.raises(InputError, match="vi_x"):
        read_points(tmp_path / "p.csv")


def test_apply_keeps_type_and_lands_where_the_matrix_says() -> None:
    ir = np.zeros((40, 50), np.uint16)
    ir[20, 30] = 60_000
    matrix = np.array([[2.0, 0, 7], [0, 2, -4], [0, 0, 1]])
    out = apply(ir, matrix, (80, 100))
    assert out.dtype == np.uint16
    assert np.unravel_index(int(out.argmax()), out.shape) == (36, 67)
    color = apply(np.dstack([ir] * 3), matrix, (80, 100))
    assert np.array_equal(color[..., 1], out)


def test_cover_and_common_window() -> None:
    ir, vi = (60, 80), (100, 200)
    inside = np.array([[1.0, 0, 50], [0, 1, 20], [0, 0, 1]])
    weight = cover(ir, inside, vi)
    assert weight[:20].max() == 0
    assert weight[50, 90] == 1
    assert 0 < weight[50, 53] < 1
    assert common_window(ir, inside, vi) == (slice(20, 80), slice(50, 130))
    # Beyond the border of VI there is no seam.
    larger = np.array([[3.0, 0, -5], [0, 3, -5], [0, 0, 1]])
    assert cover(ir, larger, vi).min() == 1
    half = np.array([[3.0, 0, -5], [0, 3, 50], [0, 0, 1]])
    assert cover(ir, half, vi)[99, 0] == 1
    with pytest.raises(InputError, match="next to nothing"):
        common_window(ir, np.array([[1.0, 0, 195], [0, 1, 95], [0, 0, 1]]), vi)


def test_the_checkerboard_shows_both() -> None:
    ir, vi = np.full((50, 80), 200, np.uint8), np.full((50, 80), 10, np.uint8)
    ir[::2], vi[:, ::2] = 90, 30
    board = checkerboard(ir, vi, np.eye(3))
    assert (board.shape, board.dtype) == ((50, 80), np.uint8)
    assert np.ptp(board[2:8, 2:8], axis=0).min() > 30  # a field of IR has rows
    assert np.ptp(board[2:8, 12:18], axis=0).max() < 10  # a field of VI has none
    assert np.ptp(board[2:8, 12:18], axis=1).min() > 30  # but columns
