"""A person's pictures looked over before training: what is wrong with them, or worth knowing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.text import Text, same
from etude.data.decode import REASONS
from etude.data.scan import Part, Picture, Scan

FEW = 5
"""A class with fewer pictures than this is pointed out."""

IMBALANCE = 5.0
"""Pointed out where the largest class has more than this many times the pictures of the smallest."""

_LISTED = 5

PARTS: dict[Part, Text] = {
    "train": Text(en="training", zh="训练集"),
    "validation": Text(en="validation", zh="验证集"),
    "test": Text(en="test", zh="测试集"),
}


def choose_classes(scan: Scan, readable: Sequence[Picture]) -> tuple[str, ...]:
    """The classes that can be learnt: those with a picture to learn from, in natural order.

    Raises:
        EtudeError: there is one class only, or one to be tested that is not to be learnt.
    """
    learnt = list(dict.fromkeys(each.label for each in readable if each.part in (None, "train")))
    for each in readable:
        if each.label not in learnt:
            part = PARTS[each.part or "train"]
            raise EtudeError(
                en=f"The class '{each.label}' of the {part.en} part has no readable picture in train; "
                "add some there, or take the class away.",
                zh=f"{part.zh}中的类别“{each.label}”在 train 中没有可读的图片；请在 train 中补充，或删去该类别。",
            )
    if len(learnt) < 2:
        raise EtudeError(
            en=f"{scan.folder} has one class only ('{''.join(learnt)}'); at least two are needed, each in a folder "
            "of its own. If the classes lie deeper, give the folder right above them.",
            zh=f"{scan.folder} 中只有一个类别（“{''.join(learnt)}”）；至少需要两个类别，各放在一个文件夹里。"
            "如果类别文件夹在更深一层，请给出其直接上级文件夹。",
        )
    return tuple(learnt)


def look_over_files(scan: Scan, unreadable: dict[int, str]) -> list[Text]:
    """Findings on files that are left out: unreadable, no pictures, or in the wrong place."""
    findings = []
    if unreadable:
        files = [
            Text(
                en=f"{scan.pictures[index].name} ({REASONS[why].en})",
                zh=f"{scan.pictures[index].name}（{REASONS[why].zh}）",
            )
            for index, why in sorted(unreadable.items())
        ]
        findings.append(
            _counted(len(files), "file could not be read and is left out", "files could not be read and are left out",
                     "个文件无法读取，已略去", files)
        )  # fmt: skip
    gone = dict.fromkeys(scan.pictures[index].label for index in sorted(unreadable))
    for index, each in enumerate(scan.pictures):
        if index not in unreadable:
            gone.pop(each.label, None)
    if gone:
        findings.append(
            _counted(len(gone), "class has no picture that could be read and is left out",
                     "classes have no picture that could be read and are left out", "个类别没有可读的图片，已略去", map(same, gone))
        )  # fmt: skip
    if scan.closed:
        findings.append(
            _counted(len(scan.closed), "folder may not be opened (permission denied)",
                     "folders may not be opened (permission denied)", "个文件夹没有权限打开", map(same, scan.closed))
        )  # fmt: skip
    if scan.strays:
        findings.append(
            _counted(len(scan.strays), "picture lies in no class folder and is left out",
                     "pictures lie in no class folder and are left out", "张图片不在任何类别文件夹中，已略去", map(same, scan.strays))
        )  # fmt: skip
    if scan.others:
        are = "file is no picture by its name" if scan.others == 1 else "files are no pictures by their names"
        findings.append(
            Text(
                en=f"{scan.others:,} {are}; passed over.",
                zh=f"{scan.others:,} 个文件从扩展名看不是图片，已忽略。",
            )
        )
    if scan.empty:
        findings.append(
            _counted(len(scan.empty), "folder holds no picture", "folders hold no picture", "个文件夹中没有图片", map(same, scan.empty))
        )  # fmt: skip
    return findings


def look_over_classes(classes: Sequence[str], counts: Sequence[int]) -> list[Text]:
    """Findings on the sizes of the classes: some very small, or of very different sizes."""
    findings = []
    few = [same(f"{name}: {count}") for name, count in zip(classes, counts) if count < FEW]
    if few:
        findings.append(
            _counted(len(few), f"class has fewer than {FEW} pictures", f"classes have fewer than {FEW} pictures",
                     f"个类别的图片少于 {FEW} 张", few)
        )  # fmt: skip
    most, least = int(np.argmax(counts)), int(np.argmin(counts))
    if counts[most] > IMBALANCE * counts[least]:
        ratio = counts[most] / counts[least]
        findings.append(
            Text(
                en=f"The classes are unbalanced: '{classes[most]}' has {counts[most]:,} pictures, {ratio:.1f} times as many "
                f"as '{classes[least]}' with {counts[least]:,}. Look at the accuracy of each class, not only at that of all.",
                zh=f"类别不平衡：“{classes[most]}”有 {counts[most]:,} 张图片，是“{classes[least]}”（{counts[least]:,} 张）的 {ratio:.1f} 倍。"
                "请查看每一类的准确率，而不只是总体准确率。",
            )
        )
    return findings


def same_pictures(digests: Sequence[Hashable]) -> list[list[int]]:
    """The groups of two and more examples with equal digests, in order of their first."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, digest in enumerate(digests):
        groups[digest].append(index)
    return [group for group in groups.values() if len(group) > 1]


def look_for_copies(
    pictures: Sequence[Picture], groups: Iterable[Sequence[int]], kept_together: bool
) -> list[Text]:
    """Findings on pictures that occur more than once.

    Args:
        pictures: all examples.
        groups: from `same_pictures`.
        kept_together: étude makes parts itself and puts such pictures into one part.
    """
    sets = [[pictures[index] for index in group] for group in groups]
    findings = []
    within = [_pair(group, lambda each: (each.part, each.label), differ=False) for group in sets]
    if pairs := [pair for pair in within if pair]:
        findings.append(
            _counted(len(pairs), "picture occurs more than once in its class", "pictures occur more than once in their class",
                     "张图片在同一类别中重复出现", map(_equal, pairs))
        )  # fmt: skip
    for (first, second), pairs in _by(sets, lambda each: each.label).items():
        findings.append(
            _counted(len(pairs), f"picture is in two classes, {first} and {second}",
                     f"pictures are in two classes, {first} and {second}; no network can be right about both",
                     f"张图片同时属于两个类别：{first} 与 {second}；任何网络都不可能两边都答对", map(_equal, pairs))
        )  # fmt: skip
    across = _by(sets, lambda each: each.part)
    for (first, second), pairs in across.items():
        a, b = PARTS[first], PARTS[second]
        findings.append(
            _counted(len(pairs), f"picture of the {b.en} part is also in the {a.en} part, so its result will look better than it is",
                     f"pictures of the {b.en} part are also in the {a.en} part, so its result will look better than it is",
                     f"张{b.zh}图片也在{a.zh}中，其结果会偏高", map(_equal, pairs))
        )  # fmt: skip
    if sets and kept_together and not across:
        findings.append(
            Text(
                en="Copies of a picture go to one part together, so that none is learnt and tested.",
                zh="同一图片的各份副本总在同一部分，因此不会既用于学习又用于测试。",
            )
        )
    return findings


def _pair(
    group: Sequence[Picture], kind: Callable[[Picture], Any], differ: bool
) -> tuple[Picture, Picture] | None:
    """The first two of a group that are of one kind (or of different kinds)."""
    for place, second in enumerate(group):
        for first in group[:place]:
            if (kind(first) != kind(second)) == differ:
                return first, second
    return None


def _by(
    groups: Iterable[Sequence[Picture]], kind: Callable[[Picture], Any]
) -> dict[tuple[Any, Any], list[tuple[Picture, Picture]]]:
    """For each two kinds, the pictures that are of both: the first of each."""
    found: dict[tuple[Any, Any], list[tuple[Picture, Picture]]] = defaultdict(list)
    for group in groups:
        firsts: dict[Any, Picture] = {}
        for each in group:
            firsts.setdefault(kind(each), each)
        kinds = list(firsts)
        for place, second in enumerate(kinds):
            for first in kinds[:place]:
                found[first, second].append((firsts[first], firsts[second]))
    return dict(found)


def _equal(pair: tuple[Picture, Picture]) -> Text:
    return same(f"{pair[0].name} = {pair[1].name}")


def _counted(count: int, one: str, many: str, zh: str, examples: Iterable[Text]) -> Text:
    """A sentence with a number and the first few examples."""
    listed = list(examples)
    shown, more = listed[:_LISTED], len(listed) - _LISTED
    en = ", ".join(each.en for each in shown) + (f" and {more:,} more" if more > 0 else "")
    chinese = "、".join(each.zh for each in shown) + (f"等，另有 {more:,} 个" if more > 0 else "")
    return Text(en=f"{count:,} {one if count == 1 else many}: {en}.", zh=f"{count:,} {zh}：{chinese}。")
