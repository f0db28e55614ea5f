"""Alignment of a pair that was moved by a known amount."""

import cv2
import numpy as np
import pytest

from mma_unet.data.register import register
from mma_unet.errors import InputError
from mma_unet.scene import Scene, render_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return render_scene(480, 640, seed=1, supersample=1)


def _corner_error(found: np.ndarray, true: np.ndarray, height: int, width: int) -> float:
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]).T
    a, b = found @ corners, true @ corners
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).max())


def _motion(turn: float, scale: float, dx: float, dy: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((320, 240), turn, scale)
    matrix[:2, 2] += dx, dy
    return matrix


@pytest.mark.parametrize(
    "motion", [(0, 1, 0, 0), (2, 1.03, 9, -6), (-3, 0.97, -14, 8), (1, 1.05, 25, 10)]
)
def test_a_known_motion_is_found(scene: Scene, motion: tuple[float, float, float, float]) -> None:
    true = _motion(*motion)
    moved = cv2.warpPerspective(scene.ir, true, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    warped, transform = register(moved, scene.vi)
    assert warped.shape == scene.ir.shape
    assert warped.dtype == np.uint8
    assert _corner_error(transform.matrix, true, 480, 640) < 3
    inner = np.s_[60:-60, 60:-60]
    after = np.abs(warped[inner].astype(int) - scene.ir[inner]).mean()
    before = np.abs(moved[inner].astype(int) - scene.ir[inner]).mean()
    assert after < max(0.5 * before, 6)


def test_sizes_may_differ(scene: Scene) -> None:
    small = cv2.resize(scene.ir, (320, 240), interpolation=cv2.INTER_AREA)
    warped, transform = register(small, scene.vi)
    assert warped.shape == (480, 640)
    assert _corner_error(transform.matrix, np.diag([0.5, 0.5, 1]), 480, 640) < 2


def test_homography(scene: Scene) -> None:
    true = _motion(1, 1.02, 5, 4)
    true[2, :2] = 2e-5, -1e-5
    moved = cv2.warpPerspective(scene.ir, true, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    _, transform = register(moved, scene.vi, motion="homography")
    assert _corner_error(transform.matrix / transform.matrix[2, 2], true, 480, 640) < 6


def test_images_without_anything_in_common(scene: Scene) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), dtype=np.uint8)
    with pytest.raises(InputError, match="could not be aligned"):
        register(noise, scene.vi)
    with pytest.raises(InputError, match="could not be aligned"):
        register(np.zeros((480, 640), np.uint8), scene.vi)
    with pytest.raises(InputError, match="affine or homography"):
        register(scene.ir, scene.vi, motion="spline")  # type: ignore[arg-type]
