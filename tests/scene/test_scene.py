"""The synthetic street: repeatable, and each camera sees what it should."""

from functools import cache

import numpy as np
import pytest

from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.scene import Scene, render_scene, render_sequence


@cache
def _scene(seed: int) -> Scene:
    return render_scene(480, 640, seed, supersample=1)


def _contrast(image: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """How far the trunk of a person stands out from the strips left and right of their box."""
    x0, y0, x1, y1 = box
    wide, tall = x1 - x0, y1 - y0
    rows = slice(int(y0 + 0.2 * tall), int(y0 + 0.5 * tall))

    def mean(left: float, right: float) -> float:
        return float(image[rows, max(int(left), 0) : max(int(right), 1)].mean())

    core = mean(x0 + 0.35 * wide, x0 + 0.65 * wide)
    return core - mean(x0 - 0.9 * wide, x0 - 0.4 * wide)


def test_form_and_repeatability() -> None:
    scene = render_scene(96, 128, seed=5, supersample=1)
    again = render_scene(96, 128, seed=5, supersample=1)
    assert scene.ir.shape == (96, 128)
    assert scene.vi.shape == (96, 128, 3)
    assert scene.ir.dtype == scene.vi.dtype == np.uint8
    np.testing.assert_array_equal(scene.ir, again.ir)
    np.testing.assert_array_equal(scene.vi, again.vi)
    assert scene.people == again.people
    other = render_scene(96, 128, seed=6, supersample=1)
    assert (other.vi != scene.vi).mean() > 0.3
    assert other.people != scene.people


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("who", [0, 1], ids=["behind the steam", "in the dark"])
def test_hidden_people_show_in_the_infrared_only(seed: int, who: int) -> None:
    scene = _scene(seed)
    box = scene.people[who]
    assert _contrast(scene.ir, box) > 50
    assert abs(_contrast(luminance(scene.vi), box)) < 25


def test_a_person_in_the_light_shows_in_both() -> None:
    scene = _scene(0)
    found = [
        box for box in scene.people
        if _contrast(scene.ir, box) > 40 and abs(_contrast(luminance(scene.vi), box)) > 40
    ]  # fmt: skip
    assert found


def test_it_is_night_with_lamps_colors_and_texture() -> None:
    vi = _scene(0).vi.astype(float)
    gray = luminance(_scene(0).vi).astype(float)
    assert 15 < gray.mean() < 90
    assert (gray > 240).mean() > 0.001, "lamps saturate"
    spread = vi.max(axis=2) - vi.min(axis=2)
    assert (spread > 100).mean() > 0.002, "neon is colorful"
    detail = np.abs(np.diff(gray, axis=1)).mean()
    assert detail > 1.5


def test_the_sky_is_cold_and_people_are_the_warmest() -> None:
    scene = _scene(0)
    assert scene.ir[:40, 240:400].mean() < 60
    x0, y0, x1, y1 = (int(v) for v in scene.people[1])
    assert scene.ir[y0:y1, x0:x1].max() > 200
    assert (scene.ir > 230).mean() < 0.02


def test_the_two_pictures_are_registered() -> None:
    """Their edges agree best where they lie, not a few pixels off."""
    scene = _scene(0)
    ir, vi = (
        np.minimum(np.hypot(*np.gradient(image.astype(float))), 20)
        for image in (scene.ir, luminance(scene.vi))
    )

    def agreement(dx: int, dy: int) -> float:
        moved = np.roll(ir, (dy, dx), axis=(0, 1))[10:-10, 10:-10]
        return float(np.corrcoef(moved.ravel(), vi[10:-10, 10:-10].ravel())[0, 1])

    offsets = [(0, 0), (4, 0), (-4, 0), (0, 4), (0, -4)]
    values = [agreement(*offset) for offset in offsets]
    assert values[0] > 0.15
    assert values[0] > 1.3 * max(values[1:])


def test_a_sequence_moves() -> None:
    frames = list(render_sequence(13, 120, 160, seed=0))
    assert len(frames) == 13
    first, last = frames[0].people[0], frames[-1].people[0]
    assert last[0] - first[0] > 3, "the walker goes to the right"
    assert _contrast(frames[-1].ir, last) > 25, "and the picture with them"
    still = np.abs(frames[0].ir[:15].astype(int) - frames[-1].ir[:15]).mean()
    assert 0 < still < 8, "the houses stay, the noise does not"
    np.testing.assert_array_equal(frames[0].vi, render_scene(120, 160, 0, supersample=1).vi)


@pytest.mark.parametrize("size", [(64, 200), (200, 64), (33, 47)])
def test_other_shapes(size: tuple[int, int]) -> None:
    scene = render_scene(*size, supersample=1)
    assert scene.vi.shape[:2] == scene.ir.shape == size
    assert scene.vi.std() > 5


def test_bad_settings() -> None:
    with pytest.raises(InputError, match="too small"):
        render_scene(10, 640)
    with pytest.raises(InputError, match="seed"):
        render_scene(seed=-1)
    with pytest.raises(InputError, match="at least 1 frame"):
        render_sequence(0)
