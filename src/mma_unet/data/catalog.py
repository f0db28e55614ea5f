"""The table of the named data sets: where each comes from and the layouts it is found in."""

from dataclasses import dataclass

__all__ = ["CATALOG", "PLAIN_LAYOUTS", "SPLITS", "DatasetInfo", "Layout", "find_info", "how_to_get"]

SPLITS = ("train", "val", "test")
"""The splits a data set can have; ``all`` joins those that are there."""


@dataclass(frozen=True)
class Layout:
    """One way a data set is laid out below its folder.

    Attributes:
        ir: Folder of the infrared images; ``{split}`` stands for the split's name.
        vi: Folder of the visible images.
        role: The split a layout without ``{split}`` is: the images are all there is, and this
            is what they are usually used for.
        only: The one name of the data set's folder that this layout belongs to.
    """

    ir: str
    vi: str
    role: str = "test"
    only: str | None = None

    @property
    def has_splits(self) -> bool:
        """Whether the layout has one folder for each split."""
        return "{split}" in self.ir


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a public data set.

    Attributes:
        name: The name as its authors write it; compared without regard to case.
        about: What is in it.
        homepage: Where it is described.
        license: Its terms, or where they are told.
        size: Rough size of the download, for the user to see beforehand.
        url: Public address of a zip archive; None where a person must fetch it.
        sha256: Digest of that archive where one is known.
        folders: Names its folder goes by.
        layouts: Tried in turn.
    """

    name: str
    about: str
    homepage: str
    license: str
    size: str
    url: str | None
    folders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    sha256: str | None = None
    scattered: bool = False
    """Whether, as published, the pairs lie one to a folder; see `mma_unet.data.layouts`."""


PLAIN_LAYOUTS = (Layout("{split}/ir", "{split}/vi"), Layout("ir/{split}", "vi/{split}"))
_FLAT = Layout("ir", "vi")
_TERMS = "as stated on the page"

CATALOG: tuple[DatasetInfo, ...] = (
    DatasetInfo(
        name="RoadScene",
        about="221 pairs of road scenes, aligned crops of FLIR frames, day and night",
        homepage="https://github.com/hanna-xu/RoadScene",
        license=_TERMS,
        size="about 150 MB",
        url="https://github.com/hanna-xu/RoadScene/archive/refs/heads/master.zip",
        folders=("RoadScene", "RoadScene-master"),
        layouts=(
            *PLAIN_LAYOUTS,
            Layout("cropinfrared", "crop_LR_visible", role="train"),
            Layout("cropinfrared", "crop_HR_visible", role="train"),
            Layout("ir", "vi", role="train"),
        ),
    ),
    DatasetInfo(
        name="MSRS",
        about="1444 pairs of road scenes, 640x480, day and night, with labels",
        homepage="https://github.com/Linfeng-Tang/MSRS",
        license=_TERMS,
        size="about 1 GB",
        url="https://github.com/Linfeng-Tang/MSRS/archive/refs/heads/main.zip",
        folders=("MSRS", "MSRS-main"),
        layouts=(*PLAIN_LAYOUTS, Layout("ir", "vi", role="train")),
    ),
    DatasetInfo(
        name="M3FD",
        about="4200 pairs with boxes for detection and 300 for fusion, 1024x768",
        homepage="https://github.com/JinyuanLiu-CV/TarDAL",
        license=_TERMS,
        size="about 4 GB",
        url=None,
        folders=("M3FD", "M3FD_Detection", "M3FD_Fusion"),
        layouts=(
            *PLAIN_LAYOUTS,
            Layout("M3FD_Detection/Ir", "M3FD_Detection/Vis", role="train"),
            Layout("M3FD_Fusion/Ir", "M3FD_Fusion/Vis"),
            Layout("Ir", "Vis", role="train", only="M3FD_Detection"),
            Layout("Ir", "Vis", only="M3FD_Fusion"),
            Layout("Ir", "Vis", only="M3FD"),
            Layout("ir", "vi", only="M3FD"),
        ),
    ),
    DatasetInfo(
        name="TNO",
        about="military and surveillance scenes, the common set of 42 pairs and more",
        homepage="https://figshare.com/articles/dataset/TNO_Image_Fusion_Dataset/1008029",
        license=_TERMS,
        size="about 250 MB",
        url="https://figshare.com/ndownloader/articles/1008029/versions/1",
        folders=("TNO", "TNO_Image_Fusion_Dataset"),
        layouts=(*PLAIN_LAYOUTS, _FLAT, Layout("infrared", "visible"), Layout("thermal", "visual")),
        scattered=True,
    ),
    DatasetInfo(
        name="LLVIP",
        about="15488 pairs of pedestrians in low light, 1280x1024, with boxes",
        homepage="https://bupt-ai-cz.github.io/LLVIP/",
        license=_TERMS,
        size="about 4 GB",
        url=None,
        folders=("LLVIP",),
        layouts=(Layout("infrared/{split}", "visible/{split}"), *PLAIN_LAYOUTS, _FLAT),
    ),
)  # fmt: skip


def find_info(name: str) -> DatasetInfo | None:
    """The catalogue's entry of that name, whatever its case, or None.

    Example:
        >>> find_info("msrs").name
        'MSRS'
    """
    for info in CATALOG:
        if info.name.casefold() == name.casefold():
            return info
    return None


def how_to_get(info: DatasetInfo) -> str:
    """Half a sentence, ending in a full stop, that tells how to get a data set."""
    if info.url is not None:
        return f"get it with `mma-unet data get {info.name} --root DIR`, or name another root."
    return f"download it from {info.homepage} and unpack it as {info.folders[0]} in that folder."
