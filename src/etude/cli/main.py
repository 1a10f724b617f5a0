"""The command ``etude``: finds the subcommand, runs it, turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
from importlib import import_module

from etude.core.errors import EtudeError, unknown
from etude.core.files import explain_os_error
from etude.core.text import Lang, Text, choose_language

COMMANDS = {
    "studies": Text(
        en="list the studies of the course: what each claims and what was found",
        zh="列出课程中的研究：论断与结论",
    ),
    "study": Text(
        en="run one study with knobs of your own: verdict and figure", zh="运行一个研究，可调旋钮：结论与图"
    ),
    "copy": Text(
        en="write a study as a file of your own, to edit and run", zh="把研究写成自己的文件，修改后运行"
    ),
    "verify": Text(
        en="run all studies and judge every claim of the course", zh="运行全部研究，判定课程的每个论断"
    ),
    "store": Text(en="show or clear what the studies have measured", zh="查看或清除研究的测量结果"),
    "lesson": Text(en="read the lessons; run what they show", zh="阅读课文；运行其中的例子"),
    "train": Text(
        en="train a network on a data set, on your own folder of pictures or on your own table",
        zh="在数据集、自己的图片文件夹或表格上训练网络",
    ),
    "resume": Text(
        en="carry on a run that was stopped, exactly where it stopped", zh="从停下的地方精确地继续一次训练"
    ),
    "predict": Text(
        en="say what is in pictures or what rows of a table mean, with a trained run",
        zh="用训练好的网络识别图片，或预测表格中的各行",
    ),
    "evaluate": Text(en="measure a run on its test data, or on other data", zh="在测试数据或其他数据上评估"),
    "runs": Text(en="list, show, compare and delete runs", zh="列出、查看、比较、删除训练记录"),
    "models": Text(en="list the models; show one layer by layer", zh="列出模型；逐层查看某个模型"),
    "inspect": Text(
        en="look inside a trained network: filters, feature maps, saliency, receptive field",
        zh="查看训练好的网络内部：滤波器、特征图、显著图、感受野",
    ),
    "doctor": Text(
        en="check this machine: versions, devices, speed, fonts; what to do about what is missing",
        zh="检查本机：版本、设备、速度、字体；缺什么、怎么办",
    ),
    "datasets": Text(
        en="list the data sets; show one; check your own folder or table",
        zh="列出数据集；查看样例；检查自己的文件夹或表格",
    ),
}
ABOUT = Text(
    en="étude: a deep-learning course that runs. Start with: etude lesson, etude studies, or etude train",
    zh="étude：能运行的深度学习课程。从这里开始：etude lesson、etude studies 或 etude train",
)


def main(argv: list[str] | None = None) -> int:
    """Run ``etude`` with ``argv`` (default: the process's own arguments) and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a pipe on Windows may know no Chinese
            stream.reconfigure(errors="replace")
    lang = choose_language(_asked_language(argv))
    try:
        if argv[:1] == ["--lang"]:  # it may stand before the command too
            argv = [*argv[2:], *argv[:2]]
        if not argv or argv[0] in ("-h", "--help", "help", "--lang"):
            print(_help(lang))
            return 0
        if argv[0] in ("-V", "--version"):
            from etude import __version__

            print(f"etude {__version__}")
            return 0
        name, rest = argv[0], argv[1:]
        if name not in COMMANDS:
            raise unknown(Text(en="command", zh="命令"), name, COMMANDS)
        return import_module(f"etude.cli.{name}").run(rest, lang)
    except EtudeError as error:
        print(f"etude: {error.text.to(lang)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"etude: {explain_os_error(error).text.to(lang)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(Text(en="etude: stopped.", zh="etude：已停止。").to(lang), file=sys.stderr)
        return 130


def _asked_language(argv: list[str]) -> str | None:
    for place, word in enumerate(argv):
        if word == "--lang" and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith("--lang="):
            return word.partition("=")[2]
    return None


def _help(lang: Lang) -> str:
    usage = Text(en="usage: etude COMMAND [--help] …", zh="用法：etude 命令 [--help] …").to(lang)
    lines = [ABOUT.to(lang), "", usage, ""]
    lines += [f"  {name:<10} {about.to(lang)}" for name, about in COMMANDS.items()]
    lines += ["", Text(en="  --lang en|zh, --version, --help", zh="  --lang en|zh、--version、--help").to(lang)]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
