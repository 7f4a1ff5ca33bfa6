"""Inline text in four formats: what comes from the data stays text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apastats.reporting import markup
from tests.reporting.conftest import HOSTILE


def unescape_markdown(text: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace(" \u21b5 ", "\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_literal(text: str) -> None:
    inline = f"before {markup.name(text)} after"
    page = markup.to_html(inline, str)
    assert "<script" not in page
    assert html.unescape(re.sub(r"</?bdi>", "", page)) == f"before {text} after"
    markdown = markup.to_markdown(inline, str)
    assert "\n" not in markdown
    assert (
        unescape_markdown(markdown).replace("\u2068", "").replace("\u2069", "")
        == f"before {text} after"
    )
    assert (
        markup.plain(inline).replace("\u2068", "").replace("\u2069", "") == f"before {text} after"
    )


@given(st.text(max_size=60))
def test_any_name_is_literal_in_html(text: str) -> None:
    page = markup.to_html(markup.name(text), str)
    assert html.unescape(page.removeprefix("<bdi>").removesuffix("</bdi>")) == markup.clean(text)
    assert "<" not in page.removeprefix("<bdi>").removesuffix("</bdi>")


@given(st.text(max_size=60))
def test_any_name_is_harmless_in_latex(text: str) -> None:
    tex = markup.to_latex(markup.name(text), str)
    bare = re.sub(r"\\[\\{}$&#%_]", "", tex).replace(r"\ensuremath{^2}", "")
    assert not set("$&#%_^") & set(re.sub(r"\\[a-zA-Z]+(\{-\})?", "", bare))
    depth = 0
    for c in re.sub(r"\\[{}]", "", tex):
        depth += {"{": 1, "}": -1}.get(c, 0)
        assert depth >= 0
    assert depth == 0


def test_control_characters_are_shown() -> None:
    assert markup.clean("a\x00b\x1b\ud800\x7f") == "a\u2400b\u241b\ufffd\u2421"


def test_markers_in_names_do_nothing() -> None:
    assert markup.plain(markup.name("\ue000x\ue005")) == "\ufffdx\ufffd"


def test_symbols_and_citations() -> None:
    inline = f"{markup.sym('p')} {markup.cite('a', 'b')} {markup.strong('no')} {markup.cite()}"
    assert markup.to_html(inline, lambda k: f"[{k}]") == "<i>p</i> [a;b] <strong>no</strong> "
    assert markup.to_markdown(inline, lambda k: f"[{k}]") == "*p* [a;b] **no** "
    assert markup.to_latex(inline, lambda k: f"[{k}]") == r"\textit{p} [a;b] \textbf{no} "


def test_right_to_left_names_are_isolated() -> None:
    assert markup.plain(markup.name("\u05d0")) == "\u2068\u05d0\u2069"
    assert "<bdi>" in markup.to_html(markup.name("\u05d0"), str)
