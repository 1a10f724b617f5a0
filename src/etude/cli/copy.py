"""``etude copy NAME``: a study of the course as a file of one's own, to edit and run."""

from __future__ import annotations

from pathlib import Path

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError, unknown
from etude.core.text import Lang, Text

ABOUT = Text(
    en="Write a study as a file of your own; edit it and run it with: etude study ./FILE.py",
    zh="把研究写成自己的文件；修改后运行：etude study ./文件.py",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude copy", lang, ABOUT)
    parser.add_argument("name", metavar="NAME", help=parser.words("a study (see etude studies)", "研究的名称（见 etude studies）"))  # fmt: skip
    parser.add_argument("file", nargs="?", metavar="FILE.py", help=parser.words("where to (else ./NAME.py)", "写到哪里（默认 ./名称.py）"))  # fmt: skip
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.core.files import write_bytes
    from etude.study.catalog import study_files

    files = study_files()
    if arguments.name not in files:
        raise unknown(Text(en="study", zh="研究"), arguments.name, files)
    path = Path(arguments.file or f"{arguments.name}.py")
    if path.suffix != ".py" or not path.stem.isidentifier() or not path.absolute().parent.is_dir():
        raise EtudeError(
            en=f"'{path}' cannot hold a study; give a name of letters, digits and _ that ends in .py, in a folder that exists.",
            zh=f"“{path}”不能存放研究；请给出由字母、数字和下划线组成、以 .py 结尾、位于已有文件夹中的文件名。",
        )
    if path.exists():
        raise EtudeError(
            en=f"{path} exists already and was left as it is; give another name: etude copy {arguments.name} FILE.py",
            zh=f"{path} 已存在，未作改动；请换一个文件名：etude copy {arguments.name} 文件.py",
        )
    write_bytes(path, files[arguments.name].read_bytes())
    shown = path if path.is_absolute() else f"./{path}"
    output.say(Text(en=f"Written: {path}. Edit it, then run: etude study {shown}", zh=f"已写入：{path}。修改后运行：etude study {shown}"))  # fmt: skip
    output.json({"study": arguments.name, "file": str(path)})
    return 0
