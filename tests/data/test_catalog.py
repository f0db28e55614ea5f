"""Opening the named data sets in the layouts they come in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mma_unet.data.catalog import CATALOG
from mma_unet.data.layouts import open_dataset
from mma_unet.errors import InputError

ROAD = "RoadScene-master"
MakePairs = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize(
    ("name", "split", "ir", "vi"),
    [
        ("msrs", "train", "msrs/train/ir", "msrs/train/vi"),
        ("MSRS", "test", "MSRS-main/test/ir", "MSRS-main/test/vi"),
        ("RoadScene", "train", f"{ROAD}/cropinfrared", f"{ROAD}/crop_LR_visible"),
        ("RoadScene", "all", f"{ROAD}/cropinfrared", f"{ROAD}/crop_HR_visible"),
        ("M3FD", "train", "M3FD/M3FD_Detection/Ir", "M3FD/M3FD_Detection/Vis"),
        ("M3FD", "train", "M3FD_Detection/Ir", "M3FD_Detection/Vis"),
        ("M3FD", "test", "M3FD_Fusion/Ir", "M3FD_Fusion/Vis"),
        ("m3fd", "all", "M3FD/ir", "M3FD/vi"),
        ("LLVIP", "train", "LLVIP/infrared/train", "LLVIP/visible/train"),
        ("LLVIP", "all", "LLVIP/infrared/test", "LLVIP/visible/test"),
        ("TNO", "test", "tno/ir", "tno/vi"),
    ],
)  # fmt: skip
def test_usual_layouts(
    make_pairs: MakePairs, tmp_path: Path, name: str, split: str, ir: str, vi: str
) -> None:
    make_pairs(ir=ir, vi=vi)
    pairing = open_dataset(name, tmp_path, split)
    assert [p.name for p in pairing.pairs] == ["0", "1", "2"]
    assert pairing.pairs[0].ir == tmp_path / ir / "0.png"
    assert pairing.pairs[0].vi == tmp_path / vi / "0.png"


def test_training_images_are_not_taken_for_the_test(make_pairs: MakePairs, tmp_path: Path) -> None:
    make_pairs(ir="M3FD_Detection/Ir", vi="M3FD_Detection/Vis")
    with pytest.raises(InputError, match="no split 'test': use train or all"):
        open_dataset("M3FD", tmp_path, "test")


def test_the_root_may_be_the_data_set_itself(make_pairs: MakePairs, tmp_path: Path) -> None:
    make_pairs(ir="MSRS/train/ir", vi="MSRS/train/vi")
    assert len(open_dataset("MSRS", tmp_path / "MSRS", "train")) == 3


def test_all_joins_the_splits_and_keeps_names_apart(make_pairs: MakePairs, tmp_path: Path) -> None:
    make_pairs(count=2, ir="msrs/train/ir", vi="msrs/train/vi")
    make_pairs(count=3, ir="msrs/test/ir", vi="msrs/test/vi")
    names = [p.name for p in open_dataset("msrs", tmp_path).pairs]
    assert names == ["0", "1", "test_0", "test_1", "2"]


def test_tno_as_published(make_pairs: MakePairs, tmp_path: Path) -> None:
    base = "TNO/TNO_Image_Fusion_Dataset"
    scene = make_pairs(count=1, ir=f"{base}/Athena/man", vi=f"{base}/Athena/spare")
    (scene[0] / "0.png").rename(scene[0] / "IR_meting.bmp")
    (scene[1] / "0.png").rename(scene[0] / "VIS_other.bmp")
    make_pairs(count=2, ir=f"{base}/FEL/camp/thermal", vi=f"{base}/FEL/camp/visual")
    assert [p.name for p in open_dataset("TNO", tmp_path, "test").pairs] == ["man", "0", "1"]


def test_any_folder(make_pairs: MakePairs, tmp_path: Path) -> None:
    make_pairs(ir="mine/thermal", vi="mine/rgb")
    make_pairs(ir="split/train/ir", vi="split/train/vi")
    assert len(open_dataset("mine", tmp_path, "train")) == 3
    assert len(open_dataset(tmp_path / "mine", "nowhere", "test")) == 3
    assert len(open_dataset("split", tmp_path, "train")) == 3
    with pytest.raises(InputError, match="no split 'test': use train or all"):
        open_dataset("split", tmp_path, "test")


@pytest.mark.parametrize("info", CATALOG, ids=lambda info: info.name)
def test_missing_says_where_and_how(info, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(info.name, tmp_path, "train")
    message = str(caught.value)
    assert str(tmp_path) in message
    assert (f"mma-unet data get {info.name}" in message) == (info.url is not None)
    assert info.url is not None or info.homepage in message


def test_split_that_is_not_there(make_pairs: MakePairs, tmp_path: Path) -> None:
    make_pairs(ir="tno/ir", vi="tno/vi")
    with pytest.raises(InputError, match="no split 'train': use test or all"):
        open_dataset("tno", tmp_path, "train")
    with pytest.raises(InputError, match="is not a split"):
        open_dataset("tno", tmp_path, "training")
    with pytest.raises(InputError, match="neither a data set"):
        open_dataset("nothing", tmp_path)


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("msrs", "train", 999),
        ("msrs", "val", 84),
        ("msrs", "test", 40),
        ("roadscene", "train", 171),
        ("roadscene", "test", 25),
        ("tno", "test", 21),
        ("m3fd", "all", 12),
        ("llvip", "all", 4),
    ],
)
def test_the_real_pairs(shared: Path, name: str, split: str, count: int) -> None:
    pairing = open_dataset(name, shared, split)
    assert len(pairing) == count
    assert pairing.unpaired_ir == pairing.unpaired_vi == ()
    assert all(p.ir.stem == p.vi.stem == p.name for p in pairing.pairs)
