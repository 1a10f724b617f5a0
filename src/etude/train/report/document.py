"""Pieces of an HTML document that needs no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import struct
from html import escape

from etude.core.text import Lang, Text
from etude.train.report.style import CSS

DPI = 140  # sharp on a screen of high resolution too
_BROAD = 620  # pixels; a figure broader than this is scrolled on a phone, not shrunk


class Document:
    """HTML in one language; everything that is put in is escaped."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def say(self, text: Text | str) -> str:
        """The words, escaped."""
        return escape(text.to(self.lang) if isinstance(text, Text) else text)

    def section(self, title: Text, body: str) -> str:
        """A heading above ``body``; nothing where ``body`` is empty."""
        return f"<section><h2>{self.say(title)}</h2>{body}</section>" if body else ""

    def figure(self, picture: bytes, title: Text, caption: Text) -> str:
        """A section with one PNG file in it, drawn at `DPI`."""
        image = self.image(picture, Text(en=f"{title.en}. {caption.en}", zh=f"{title.zh}。{caption.zh}"))
        words = f"<figcaption>{self.say(caption)}</figcaption>"
        return self.section(title, f"<figure>{image}{words}</figure>")

    def image(self, picture: bytes, words: Text) -> str:
        """A PNG file, drawn at `DPI`, with ``words`` for who cannot see it."""
        width, height = (round(side * 100 / DPI) for side in _size(picture))
        kind = ' class="broad"' if width > _BROAD else ""
        data = base64.b64encode(picture).decode()
        image = f'<img src="data:image/png;base64,{data}" alt="{self.say(words)}" width="{width}" height="{height}"{kind}>'
        return f'<div class="wide" tabindex="0">{image}</div>'

    def table(self, headings: list[Text | str], rows: list[list[str]]) -> str:
        """A table; the first cell of a row is its heading."""
        head = "".join(f'<th scope="col">{self.say(heading)}</th>' for heading in headings)
        body = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div class="wide" tabindex="0">{table}</div>'

    def page(self, title: str, parts: list[str]) -> str:
        """The whole document."""
        language = "zh-CN" if self.lang == "zh" else "en"
        return (
            f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>étude: {escape(title)}</title>'
            f"<style>{CSS}</style></head>\n<body><main>\n"
            + "\n".join(part for part in parts if part)
            + "\n</main></body></html>\n"
        )


def _size(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels: the first chunk of every PNG file."""
    width, height = struct.unpack(">II", picture[16:24])
    return width, height
