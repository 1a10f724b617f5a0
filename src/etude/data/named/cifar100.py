"""CIFAR-100 (Krizhevsky 2009): small photographs of a hundred kinds of things."""

from __future__ import annotations

from pathlib import Path

from etude.core.text import Text
from etude.data.cifar import Cifar, find, load
from etude.data.entry import NamedDataset, Progress, RawImages

# the order of the labels is alphabetical
_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""

CIFAR = Cifar(
    name="cifar100",
    title="CIFAR-100",
    classes=tuple(_CLASSES.split()),
    url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    archive_md5="03b5dce01913d631647c71ecec9e9cb8",
    binary_folder="cifar-100-binary",
    binary_files=("train.bin", "test.bin"),
    python_archive="cifar-100-python.tar.gz",
    python_md5="eb9058c3a382ffc7106e4002c42a8d85",
    python_folder="cifar-100-python",
    python_files={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    label_bytes=2,  # the first is the superclass, one of twenty
    label_key="fine_labels",
)


def _load(data_dir: Path, progress: Progress) -> RawImages:
    return load(CIFAR, data_dir, progress)


def _where(data_dir: Path) -> str | None:
    found = find(CIFAR, data_dir)
    return str(found) if found else None


DATASET = NamedDataset(
    name=CIFAR.name,
    title=Text(en="small photographs of a hundred kinds of things", zh="一百类事物的小照片"),
    classes=CIFAR.classes,
    licence="free for research",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; downloaded once",
    input_shape=(3, 32, 32),
    sizes=(50_000, 10_000),
    load=_load,
    where=_where,
    validation_size=5_000,
    augmentations=("flip", "crop"),
)
