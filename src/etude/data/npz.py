"""NumPy's ``.npz`` archives as pictures or as a table. Nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.text import Text
from etude.data.columns import as_categories, name_of, number_column
from etude.data.delimited import MOST_COLUMNS
from etude.data.entry import NamedDataset, RawImages
from etude.data.load_table import RawTable
from etude.data.scan import natural_key
from etude.data.target import MOST_CLASSES

_INPUTS = ("x", "data", "images")
_TARGETS = ("y", "labels", "target")
_NAMES = {*_INPUTS, *_TARGETS, "x_train", "y_train", "x_test", "y_test"}
_CHANNELS = (1, 3)


def read_npz(path: Path) -> RawTable | tuple[NamedDataset, RawImages, tuple[Text, ...]]:
    """The arrays of an archive: ``x_train, y_train, x_test, y_test`` as Keras has them, or one pair of arrays.

    Rows of numbers ``[n, features]`` make a table, whose columns are called ``column 1`` and so on. Pictures are
    ``[n, height, width]``, ``[n, height, width, channels]`` or ``[n, channels, height, width]``: uint8, whole numbers from
    0 to 255, or numbers from 0 to 1 (which are multiplied by 255, and said).

    Raises:
        EtudeError: the archive is damaged, lacks an array, holds Python objects, or its arrays do not fit together.
    """
    found, names = _arrays(path)
    if {"x_train", "y_train"} <= set(found):
        pairs = [(found["x_train"], found["y_train"])]
        if {"x_test", "y_test"} <= set(found):
            pairs.append((found["x_test"], found["y_test"]))
    else:
        x = next((found[name] for name in _INPUTS if name in found), None)
        y = next((found[name] for name in _TARGETS if name in found), None)
        if x is None or y is None:
            raise _refuse_keys(path, names)
        pairs = [(x, y)]
    pairs = [(x, _flat(path, x, y)) for x, y in pairs]
    shapes = {x.shape[1:] for x, _ in pairs}
    if len(shapes) > 1:
        first, second = (list(x.shape) for x, _ in pairs)
        raise EtudeError(
            en=f"{path}: x_train is {first} and x_test {second}; one example must have the same shape in both.",
            zh=f"{path}：x_train 的形状为 {first}，x_test 的形状为 {second}；两者中单个样本的形状必须相同。",
        )
    if pairs[0][0].ndim == 2:
        return _table(path, pairs)
    return _pictures(path, pairs)


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Those arrays that may be meant, by their names in small letters; and the names of all."""
    try:
        if not zipfile.is_zipfile(path) and not path.read_bytes()[:6] == b"\x93NUMPY":
            raise zipfile.BadZipFile("it is no zip file")
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, Mapping):
            raise EtudeError(
                en=f"{path} holds one array without a name; save it with numpy.savez(path, x=…, y=…).",
                zh=f"{path} 只有一个没有名称的数组；请用 numpy.savez(path, x=…, y=…) 保存。",
            )
        with loaded as archive:
            wanted = [name for name in archive.files if name.lower() in _NAMES]
            return {name.lower(): archive[name] for name in wanted}, list(archive.files)
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        if "pickle" in str(error).lower():
            raise EtudeError(
                en=f"{path} holds pickled Python objects, which étude never loads; save arrays of numbers.",
                zh=f"{path} 含有 pickle 序列化的 Python 对象，étude 不会加载；请保存数值数组。",
            ) from None
        raise EtudeError(
            en=f"{path} is no .npz archive or is damaged ({error}); save it again with numpy.savez.",
            zh=f"{path} 不是 .npz 文件或已损坏（{error}）；请用 numpy.savez 重新保存。",
        ) from None
    except OSError as error:
        raise explain_os_error(error, path) from None


def _refuse_keys(path: Path, names: list[str]) -> EtudeError:
    have, have_zh = ", ".join(names[:10]) or "nothing", "、".join(names[:10]) or "空"
    return EtudeError(
        en=f"{path} holds {have}; it needs x_train and y_train (and x_test, y_test), or x with y "
        "(data or images for x, labels or target for y).",
        zh=f"{path} 中有：{have_zh}；需要 x_train 与 y_train（以及 x_test、y_test），或 x 与 y"
        "（x 也可叫 data、images，y 也可叫 labels、target）。",
    )


def _flat(path: Path, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The targets as ``[n]``."""
    flat = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.ndim != 1 or x.ndim not in (2, 3, 4) or len(flat) != len(x) or not len(x):
        raise EtudeError(
            en=f"{path}: inputs are {list(x.shape)} and targets {list(y.shape)}; expected [n, features] or pictures "
            "[n, height, width(, channels)], and targets [n].",
            zh=f"{path}：输入的形状为 {list(x.shape)}，目标为 {list(y.shape)}；输入应为 n×特征数，或图片 n×高×宽（×通道）；目标应为 n 个值。",
        )
    return flat


def _table(path: Path, pairs: list[tuple[np.ndarray, np.ndarray]]) -> RawTable:
    x, y = (np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for arrays in zip(*pairs))
    if x.dtype.kind not in "biuf" or x.shape[1] > MOST_COLUMNS:
        raise EtudeError(
            en=f"{path}: inputs are {x.dtype} {list(x.shape)}; expected numbers in at most {MOST_COLUMNS:,} columns.",
            zh=f"{path}：输入为 {x.dtype} {list(x.shape)}；应为数值，且不超过 {MOST_COLUMNS:,} 列。",
        )
    columns = [number_column(f"column {place + 1}", x[:, place]) for place in range(x.shape[1])]
    if y.dtype.kind in "biuf":
        target = number_column("target", y)
    else:
        texts = _texts(y)
        target = as_categories("target", lambda: [texts])
    test = np.arange(len(pairs[0][0]), len(x)) if len(pairs) > 1 else None
    return RawTable((*columns, target), "target", test, has_header=False)


def _pictures(
    path: Path, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[NamedDataset, RawImages, tuple[Text, ...]]:
    findings: list[Text] = []
    images = [_bytes(path, _channels_first(path, x), findings) for x, _ in pairs]
    names = [_class_names(path, y) for _, y in pairs]
    classes = sorted(set(names[0]), key=natural_key)
    strange = sorted({name for part in names for name in part} - set(classes))
    if strange:
        raise EtudeError(
            en=f"{path}: y_test has the class '{strange[0]}', which y_train has not; no network can learn it.",
            zh=f"{path}：y_test 中的类别“{strange[0]}”在 y_train 中没有；无法学习。",
        )
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise EtudeError(
            en=f"{path} has {len(classes):,} different labels; pictures need from 2 to {MOST_CLASSES:,} classes.",
            zh=f"{path} 有 {len(classes):,} 种标签；图片分类需要 2 到 {MOST_CLASSES:,} 个类别。",
        )
    number = {name: place for place, name in enumerate(classes)}
    labels = [np.array([number[name] for name in part], dtype=np.int64) for part in names]
    channels, height, width = images[0].shape[1:]
    raw = RawImages(images[0], labels[0], *((images[1], labels[1]) if len(pairs) > 1 else ()))
    entry = NamedDataset(
        name=path.stem,
        title=Text(en="", zh=""),
        classes=tuple(classes),
        licence="",
        source=str(path),
        input_shape=(channels, height, width),
        sizes=(len(labels[0]), len(labels[1]) if len(pairs) > 1 else 0),
        load=lambda data_dir, progress: raw,
        where=lambda data_dir: str(path),
        validation_size=max(round(0.15 * len(labels[0])), 1),
        augmentations=("flip", "crop") if channels == 3 else ("crop",),
    )
    return entry, raw, tuple(dict.fromkeys(findings))


def _channels_first(path: Path, x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        return x[:, None]
    if x.shape[3] in _CHANNELS and x.shape[1] not in _CHANNELS:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    if x.shape[1] in _CHANNELS:
        return x
    raise EtudeError(
        en=f"{path}: pictures are {list(x.shape)}; expected 1 or 3 channels, at the second place or the last.",
        zh=f"{path}：图片的形状为 {list(x.shape)}；第二维或最后一维应为 1 或 3 个通道。",
    )


def _bytes(path: Path, x: np.ndarray, findings: list[Text]) -> np.ndarray:
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    if x.dtype.kind in "biuf" and x.size:
        least, most = x.min(), x.max()
        whole = x.dtype.kind != "f" or bool((x == np.round(x)).all())
        if whole and least >= 0 and 1 < most <= 255:
            return x.astype(np.uint8)
        if least >= 0 and most <= 1:
            findings.append(
                Text(
                    en="The pictures hold numbers from 0 to 1; they are kept as 256 shades.",
                    zh="图片数值在 0 到 1 之间；按 256 级灰度保存。",
                )
            )
            return np.rint(x.astype(np.float64) * 255).astype(np.uint8)
    raise EtudeError(
        en=f"{path}: pictures are {x.dtype} and not from 0 to 255 or from 0 to 1; give uint8 pixels.",
        zh=f"{path}：图片为 {x.dtype}，数值不在 0 到 255 或 0 到 1 之间；请给出 uint8 像素。",
    )


def _class_names(path: Path, y: np.ndarray) -> list[str]:
    if y.dtype.kind in "biu" or (y.dtype.kind == "f" and bool((y == np.round(y)).all())):
        return [name_of(float(each)) for each in y]
    if y.dtype.kind in "US":
        return _texts(y)
    raise EtudeError(
        en=f"{path}: labels of pictures are {y.dtype}; give whole numbers or texts.",
        zh=f"{path}：图片的标签为 {y.dtype}；请给出整数或文本。",
    )


def _texts(y: np.ndarray) -> list[str]:
    return [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in y]
