"""What came out of a run, in words. Anything may be missing from the run: it is then not spoken of."""

from __future__ import annotations

from typing import Any

from etude.core.text import Text, same
from etude.train.report.labels import number, share
from etude.train.report.nouns import Noun, is_regression, noun
from etude.train.report.predictions import Predictions, RegressionPredictions
from etude.train.report.regression_statistics import RegressionSummary
from etude.train.report.statistics import (
    calibration_error,
    commonest_confusions,
    confusion_counts,
    wilson_interval,
)


def headline(
    run: dict[str, Any],
    predictions: Predictions | RegressionPredictions | None,
    regression: RegressionSummary | None = None,
) -> tuple[Text, Text | None]:
    """The result in large letters, and what it means: on the test part, else on the validation part."""
    results, finished = run.get("results") or {}, run.get("status") == "finished"
    split = (run.get("data") or {}).get("split") or {}
    for part in ("test", "validation"):
        if not finished and part == "validation":
            continue
        count = len(predictions) if predictions is not None and part == "test" else split.get(part)
        known = count if isinstance(count, int) and count else None
        if is_regression(run) and results.get(f"{part}_rmse") is not None:
            error, r2 = results[f"{part}_rmse"], results.get(f"{part}_r2")
            shown = f"RMSE {number(error)}" + ("" if r2 is None else f" · R² {r2:.2f}")
            return same(shown), _error_meaning(run, part, known, regression if part == "test" else None)
        accuracy = results.get(f"{part}_accuracy")
        if accuracy is not None:
            meaning = _meaning(accuracy, known, part, noun(run), run.get("measured_on")) if known else None
            return same(f"{accuracy:.2%}"), meaning
    if finished:
        return Text(en="Finished", zh="训练完成"), None
    return Text(en="Not finished", zh="尚未完成"), None


def _meaning(accuracy: float, count: int, part: str, of: Noun, measured_on: str | None) -> Text:
    if part == "validation":
        return Text(
            en=f"of {count:,} validation {of.many} are told right. The weights kept were chosen by them, so expect a little "
            f"less on new {of.many}; there was no test part.",
            zh=f"的验证{of.zh}判断正确（共 {count:,} {of.measure}）。所保留的权重是据此选出的，在新{of.zh}上可能略低；"
            "本次训练没有测试集。",
        )
    low, high = wilson_interval(round(accuracy * count), count)
    if measured_on is None:
        begin = Text(
            en=f"of {count:,} test {of.many} are told right; they were kept apart from training.",
            zh=f"的测试{of.zh}判断正确（共 {count:,} {of.measure}，未参与训练）。",
        )
    else:
        begin = Text(
            en=f"of the {count:,} {of.many} of {measured_on} are told right.",
            zh=f"的{of.zh}判断正确（{measured_on}，共 {count:,} {of.measure}）。",
        )
    return Text(
        en=f"{begin.en} On endlessly many such {of.many} it would plausibly be between {low:.2%} and {high:.2%} (95% interval).",
        zh=f"{begin.zh}若有无穷多{of.measure}同类{of.zh}，正确率大致在 {low:.2%} 与 {high:.2%} 之间（95% 区间）。",
    )


def _error_meaning(run: dict[str, Any], part: str, count: int | None, found: RegressionSummary | None) -> Text:
    of, where = noun(run), run.get("measured_on")
    name = (run.get("task") or {}).get("target") or "?"
    counted = "" if count is None else f"{count:,} "
    if where is not None:
        place = Text(
            en=f"{counted}{of.many} of {where}",
            zh=f" {where} 的" + (f" {count:,} {of.measure}" if count else "") + of.zh,
        )
    elif part == "test":
        place = Text(
            en=f"{counted}test {of.many}, which were kept apart from training",
            zh=(f" {count:,} {of.measure}" if count else "") + f"未参与训练的测试{of.zh}",
        )
    else:
        place = Text(
            en=f"{counted}validation {of.many}, by which the weights kept were chosen",
            zh=(f" {count:,} {of.measure}" if count else "") + f"验证{of.zh}（所保留的权重据此选出）",
        )
    if (run.get("results") or {}).get(f"{part}_r2") is None:
        words = Text(
            en=f"is the typical error of the predicted {name} (root mean squared error, in its own unit), on {place.en}.",
            zh=f"是预测“{name}”的典型误差（均方根误差，单位与其相同）；测自{place.zh}。",
        )
    else:
        words = Text(
            en=f"are the typical error of the predicted {name} (root mean squared error, in its own unit) and the share of its "
            f"variance that is explained, on {place.en}.",
            zh=f"分别是预测“{name}”的典型误差（均方根误差，单位与其相同）和解释的方差比例；测自{place.zh}。",
        )
    if found is None:
        return words
    en, zh = [words.en], [words.zh]
    if found.rmse_interval:
        low, high = map(number, found.rmse_interval)
        en.append(f"On other such {of.many} the RMSE would plausibly be between {low} and {high}")
        zh.append(f"换一批同类{of.zh}，RMSE 大致在 {low} 与 {high} 之间")
        if found.r2_interval:
            low, high = (f"{end:.2f}" for end in found.r2_interval)
            en[-1] += f", R² between {low} and {high}"
            zh[-1] += f"，R² 在 {low} 与 {high} 之间"
        en[-1] += " (95% intervals, bootstrap)."
        zh[-1] += "（95% 区间，自助法）。"
    if found.baseline_rmse is not None:
        en.append(
            f"Always saying the mean of the training {of.many} would be off by {number(found.baseline_rmse)}."
        )
        zh.append(f"若总是猜训练{of.zh}的均值，误差为 {number(found.baseline_rmse)}。")
    return Text(en=" ".join(en), zh="".join(zh))


def training(run: dict[str, Any]) -> Text | None:
    """What was trained, on what, for how long, and where."""
    model, data, of = run.get("model") or {}, run.get("data") or {}, noun(run)
    results, choices = run.get("results") or {}, run.get("choices") or {}
    size, classes = (data.get("split") or {}).get("train"), len((run.get("task") or {}).get("classes") or [])
    en, zh = [], []
    if isinstance(model.get("parameters"), int):
        en.append(f"{model['parameters']:,} parameters")
        zh.append(f"{model['parameters']:,} 个参数")
    if isinstance(size, int):
        en.append(f"trained on {size:,} {of.many}" + (f" of {classes} classes" if classes else ""))
        zh.append(f"用 {size:,} {of.measure}{of.zh}" + (f"（{classes} 类）" if classes else "") + "训练")
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


def target(run: dict[str, Any]) -> Text | None:
    """Whether the accuracy that the run was to reach was reached, and what of that the validation part can tell."""
    asked, results = (run.get("recipe") or {}).get("to_accuracy"), run.get("results") or {}
    ends = [results.get(f"validation_accuracy{end}") for end in ("", "_at_least", "_at_most")]
    if asked is None or results.get("reached") is None or None in ends:
        return None
    shown, low, high = ends
    en = f"validation accuracy {shown:.2%} (at least {low:.2%}, at most {high:.2%}, each with 90 % confidence)"
    zh = f"验证集准确率 {shown:.2%}（分别以 90% 的置信度：不低于 {low:.2%}，不高于 {high:.2%}）"
    step = f"{results['steps']:,}" if isinstance(results.get("steps"), int) else "?"
    if not results["reached"]:
        return Text(
            en=f"Not reached: {asked:.4g}, by the end of the run (step {step}); {en}.",
            zh=f"到训练结束（第 {step} 步）未达到 {asked:.4g}：{zh}。",
        )
    if shown >= asked:
        return Text(
            en=f"Reached {asked:.4g} after step {step}: {en}.", zh=f"第 {step} 步达到 {asked:.4g}：{zh}。"
        )
    return Text(
        en=f"Stopped after step {step}, where {asked:.4g} can no longer be ruled out: {en}.",
        zh=f"在第 {step} 步停止，此时已不能排除达到 {asked:.4g}：{zh}。",
    )


def calibration(predictions: Predictions) -> Text:
    """How far the stated probabilities can be believed."""
    gap = 100 * calibration_error(predictions.confidence, predictions.predicted == predictions.labels)
    return Text(
        en=f"Its confidence and its accuracy differ by {gap:.1f} percentage points on average (expected calibration error).",
        zh=f"它的置信度与实际正确率平均相差 {gap:.1f} 个百分点（期望校准误差）。",
    )


def confusions(predictions: Predictions, of: Noun) -> Text:
    """How to read the confusion matrix, and the commonest mistake in it."""
    en = f"Rows: what a test {of.one} is. Columns: what the network says. Orange cells are mistakes."
    zh = f"行：测试{of.zh}的实际类别；列：网络的判断。橙色格子是错误。"
    classes = predictions.classes
    counts = confusion_counts(predictions.labels, predictions.predicted, len(classes))
    for row, column, often in commonest_confusions(counts, 1):
        part = share(often / int(counts[row].sum()))
        en += (
            f" Most often {classes[row]} is taken for {classes[column]}: {often:,} times, {part} of that class."
        )
        zh += f"最常见的是把“{classes[row]}”判为“{classes[column]}”：{often:,} 次，占该类的 {part}。"
    return Text(en=en, zh=zh)
