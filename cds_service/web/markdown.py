"""The Markdown of a card as HTML: emphasis and lists, and nothing that leads anywhere."""

from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup


def markdown(text: str) -> Markup:
    """`text` as HTML that can stand in a page.

    Cards are GitHub-Flavored Markdown (R38), but what a card needs is little, and whatever is not
    enabled here stays text: HTML, links, pictures, headings, code, tables.
    """
    return Markup(_reader().render(text))  # noqa: S704  # Its output is escaped but for our tags.


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("zero", {"html": False, "linkify": False}).enable(
        ["emphasis", "list", "escape", "entity", "newline"]
    )
