"""What came out of a run, in words. Anything may be missing from the run: it is then not spoken of."""

from __future__ import annotations

from typing import Any

from etude.core.text import Text
from etude.train.report.labels import share
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import (
    calibration_error,
    commonest_confusions,
    confusion_counts,
    wilson_interval,
)


def headline(run: dict[str, Any], predictions: Predictions | None) -> tuple[Text, Text | None]:
    """The result in large letters, and what it means: on the test part, else on the validation part."""
    results, finished = run.get("results") or {}, run.get("status") == "finished"
    split = (run.get("data") or {}).get("split") or {}
    for part in ("test", "validation"):
        accuracy = results.get(f"{part}_accuracy")
        if accuracy is None or (not finished and part == "validation"):
            continue
        shown = Text(en=f"{accuracy:.2%}", zh=f"{accuracy:.2%}")
        count = len(predictions.labels) if predictions is not None and part == "test" else split.get(part)
        return shown, _meaning(accuracy, count, part) if isinstance(count, int) and count else None
    if finished:
        return Text(en="Finished", zh="训练完成"), None
    return Text(en="Not finished", zh="尚未完成"), None


def _meaning(accuracy: float, count: int, part: str) -> Text:
    if part == "validation":
        return Text(
            en=f"of {count:,} validation pictures are told right. The weights kept were chosen by them, so expect a little "
            "less on new pictures; there was no test part.",
            zh=f"的验证图片判断正确（共 {count:,} 张）。所保留的权重是据此选出的，在新图片上可能略低；本次训练没有测试集。",
        )
    low, high = wilson_interval(round(accuracy * count), count)
    return Text(
        en=f"of {count:,} test pictures are told right; they were kept apart from training. On endlessly many such "
        f"pictures it would plausibly be between {low:.2%} and {high:.2%} (95% interval).",
        zh=f"的测试图片判断正确（共 {count:,} 张，未参与训练）。若有无穷多张同类图片，"
        f"正确率大致在 {low:.2%} 与 {high:.2%} 之间（95% 区间）。",
    )


def training(run: dict[str, Any]) -> Text | None:
    """What was trained, on what, for how long, and where."""
    model, data = run.get("model") or {}, run.get("data") or {}
    results, choices = run.get("results") or {}, run.get("choices") or {}
    size, classes = (data.get("split") or {}).get("train"), len((run.get("task") or {}).get("classes") or [])
    en, zh = [], []
    if isinstance(model.get("parameters"), int):
        en.append(f"{model['parameters']:,} parameters")
        zh.append(f"{model['parameters']:,} 个参数")
    if isinstance(size, int):
        en.append(f"trained on {size:,} pictures" + (f" of {classes} classes" if classes else ""))
        zh.append(f"用 {size:,} 张图片" + (f"（{classes} 类）" if classes else "") + "训练")
    if "epochs" in results:
        en.append(f"{results['epochs']} epoch{'' if results['epochs'] == 1 else 's'}")
        zh.append(f"{results['epochs']} 轮")
    if isinstance(results.get("train_seconds"), int | float):
        en.append(f"{results['train_seconds']:,.1f} s")
        zh.append(f"用时 {results['train_seconds']:,.1f} 秒")
    where = [str(choices[name]) for name in ("device", "precision") if name in choices]
    en, zh = en + where, zh + where
    return Text(en=", ".join(en) + ".", zh="，".join(zh) + "。") if en else None


def recipe(run: dict[str, Any]) -> Text | None:
    """How it was trained: the settings that matter most, and which weights were kept."""
    settings, best = run.get("recipe") or {}, (run.get("results") or {}).get("best_epoch")
    if not {"optimizer", "learning_rate", "batch_size"} <= settings.keys():
        return None
    rate, schedule = f"{settings['learning_rate']:g}", settings.get("schedule")
    en = f"Optimiser {settings['optimizer']}, learning rate {rate}" + (f" ({schedule})" if schedule else "")
    zh = f"优化器 {settings['optimizer']}，学习率 {rate}" + (f"（{schedule}）" if schedule else "")
    en += f", batch size {settings['batch_size']}."
    zh += f"，批大小 {settings['batch_size']}。"
    if best:
        en += f" The weights kept are those of epoch {best}, the best on the validation part."
        zh += f"保留第 {best} 轮的权重（验证集上最佳）。"
    return Text(en=en, zh=zh)


def calibration(predictions: Predictions | None) -> Text | None:
    """How far the stated probabilities can be believed."""
    if predictions is None or not len(predictions.labels):
        return None
    gap = 100 * calibration_error(predictions.confidence, predictions.predicted == predictions.labels)
    return Text(
        en=f"Its confidence and its accuracy differ by {gap:.1f} percentage points on average (expected calibration error).",
        zh=f"它的置信度与实际正确率平均相差 {gap:.1f} 个百分点（期望校准误差）。",
    )


def confusions(predictions: Predictions) -> Text:
    """How to read the confusion matrix, and the commonest mistake in it."""
    en = "Rows: what a test picture is. Columns: what the network says. Orange cells are mistakes."
    zh = "行：测试图片的实际类别；列：网络的判断。橙色格子是错误。"
    classes = predictions.classes
    counts = confusion_counts(predictions.labels, predictions.predicted, len(classes))
    for row, column, often in commonest_confusions(counts, 1):
        part = share(often / int(counts[row].sum()))
        en += (
            f" Most often {classes[row]} is taken for {classes[column]}: {often:,} times, {part} of that class."
        )
        zh += f"最常见的是把“{classes[row]}”判为“{classes[column]}”：{often:,} 次，占该类的 {part}。"
    return Text(en=en, zh=zh)
