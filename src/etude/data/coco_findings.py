"""What can be wrong with the entries of a COCO file, in words."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from etude.core.text import Text

_LISTED = 5


class _Kind(NamedTuple):
    """One thing that may be wrong: about one, about many, in Chinese (a number comes before), and what to do."""

    one: str
    many: str
    zh: str
    advice: Text = Text(en="", zh="")


_KINDS = {
    "broken category": _Kind(
        "category lacks an id or a name and is left out",
        "categories lack an id or a name and are left out",
        "个类别缺少 id 或 name，已略去",
    ),
    "second category of an id": _Kind(
        "category has the id of another and is left out",
        "categories have the id of another and are left out",
        "个类别与其他类别的 id 相同，已略去",
    ),
    "name of two categories": _Kind(
        "name is that of several categories",
        "names are those of several categories",
        "个名称被多个类别使用",
    ),
    "class without a box": _Kind("class has no box", "classes have no box", "个类别没有标注框"),
    "broken image": _Kind(
        "image lacks an id or a file_name and is left out",
        "images lack an id or a file_name and are left out",
        "个图片条目缺少 id 或 file_name，已略去",
    ),
    "second image of an id": _Kind(
        "image has the id of another and is left out",
        "images have the id of another and are left out",
        "个图片条目与其他图片的 id 相同，已略去",
    ),
    "image without a size": _Kind(
        "image has no width and height, nor a file to tell them, and is left out",
        "images have no width and height, nor a file to tell them, and are left out",
        "个图片条目没有 width 和 height，也没有文件可查，已略去",
    ),
    "picture not found": _Kind(
        "picture was not found",
        "pictures were not found",
        "张图片没有找到",
        Text(en="; looked in {near} and the usual places", zh="；已查找 {near} 和常用位置"),
    ),
    "picture unreadable": _Kind("picture could not be read", "pictures could not be read", "张图片无法读取"),
    "size differs": _Kind(
        "picture has another size than its entry says (entry, file), so its boxes are out of place",
        "pictures have another size than their entries say (entry, file), so their boxes are out of place",
        "张图片的实际尺寸与条目不符（条目，文件），标注框会错位",
    ),
    "annotation without a box": _Kind(
        "annotation has no bbox of four numbers and is left out",
        "annotations have no bbox of four numbers and are left out",
        "条标注没有由四个数组成的 bbox，已略去",
    ),
    "annotation of no image": _Kind(
        "annotation names an image that there is not and is left out",
        "annotations name an image that there is not and are left out",
        "条标注指向不存在的图片，已略去",
    ),
    "annotation of no category": _Kind(
        "annotation names a category that there is not and is left out",
        "annotations name a category that there is not and are left out",
        "条标注指向不存在的类别，已略去",
    ),
    "box without an area": _Kind(
        "box has no width or no height and is left out",
        "boxes have no width or no height and are left out",
        "个标注框的宽或高不是正数，已略去",
    ),
    "box outside its picture": _Kind(
        "box lies outside its picture and is left out",
        "boxes lie outside their pictures and are left out",
        "个标注框完全在图片之外，已略去",
    ),
    "box beyond its picture": _Kind(
        "box reaches beyond its picture",
        "boxes reach beyond their pictures",
        "个标注框超出图片边界",
        Text(
            en="; a bbox is [x, y, width, height], not two corners",
            zh="；bbox 应为 [x, y, width, height]，而不是两个角点的坐标",
        ),
    ),
    "box within one pixel": _Kind(
        "box is smaller than one pixel",
        "boxes are smaller than one pixel",
        "个标注框不足一个像素",
        Text(
            en="; a bbox is in pixels, not in shares of the picture",
            zh="；bbox 以像素为单位，而不是占图片的比例",
        ),
    ),
}  # in the order in which a person is told


class Noted:
    """Collects what is wrong while a file is read."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = defaultdict(list)
        self._near: dict[str, Path] = {}

    def add(self, kind: str, example: str, near: Path | None = None) -> None:
        """Note one entry. ``near`` is where something was looked for."""
        self._examples[kind].append(example)
        if near is not None:
            self._near[kind] = near

    def findings(self) -> tuple[Text, ...]:
        """One sentence for each kind: how many, the first few, what to do."""
        return tuple(self._sentence(kind) for kind in _KINDS if self._examples[kind])

    def _sentence(self, kind: str) -> Text:
        words, examples = _KINDS[kind], self._examples[kind]
        count, more = len(examples), len(examples) - _LISTED
        shown = [each if len(each) <= 60 else each[:59] + "…" for each in examples[:_LISTED]]
        en = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
        zh = "、".join(shown) + (f"等，另有 {more:,} 个" if more > 0 else "")
        advice = words.advice.format(near=self._near.get(kind, ""))
        return Text(
            en=f"{count:,} {words.one if count == 1 else words.many}: {en}{advice.en}.",
            zh=f"{count:,} {words.zh}：{zh}{advice.zh}。",
        )
