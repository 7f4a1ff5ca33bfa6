"""Figures of reports as files: deterministic SVG, PNG above a size, and SVG made fit to stand inside a page."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from apastats.plots.panel import PAGE, page_width
from apastats.plots.sheet import Sheet
from apastats.plots.style import GRID, INK, MUTED
from apastats.reporting.blocks import FigureBlock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MAX_MARKS", "Drawings", "inline_figure"]

MAX_MARKS = 6000  # more marks than that become pixels
MAX_SVG = 350_000
PNG_DPI = 110
NARROW = 3.6  # inches: the width of a page on a telephone


@contextmanager
def _settings(salt: str) -> Iterator[None]:
    """Settings of matplotlib while a figure is made and written; restored afterwards."""
    import matplotlib

    with _restored(), warnings.catch_warnings():
        # as values that were checked once: to check some 300 of them for every figure costs a tenth of its drawing
        dict.update(matplotlib.rcParams, _defaults())
        matplotlib.rcParams["svg.hashsalt"] = salt
        # a name may hold characters the font lacks; the table beside the figure has it in full
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


@contextmanager
def _restored() -> Iterator[None]:
    """Settings of matplotlib as they were, afterwards."""
    import matplotlib

    before = _raw(matplotlib.rcParams)
    try:
        yield
    finally:
        dict.clear(matplotlib.rcParams)
        dict.update(matplotlib.rcParams, before)


def _raw(settings: Any) -> dict[str, Any]:
    """Settings as they stand: to ask for the backend that is to be chosen would choose one, and import pyplot."""
    return {k: dict.__getitem__(settings, k) for k in dict.keys(settings)}


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    """Settings of every figure of a report."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "pdf.fonttype": 42,
                "font.family": "sans-serif",
                "font.sans-serif": ["DejaVu Sans"],
                "font.size": 9,
                "axes.titlesize": 9,
                "axes.labelsize": 9,
                "xtick.labelsize": 8,
                "ytick.labelsize": 8,
                "legend.fontsize": 8,
                "text.color": INK,
                "axes.edgecolor": MUTED,
                # a fixed place: to find one, every panel would be measured at every drawing
                "axes.titley": 1.0,
            }
        )
        found = _raw(matplotlib.rcParams)
    found.pop("backend", None)
    return found


def _salt(slug: str) -> str:
    return f"apastats-{slug}"


def _write(figure: Figure, suffix: str) -> bytes:
    if suffix == "png":
        return _pixels(figure)
    metadata: dict[str, Any] = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    }[suffix]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, metadata=metadata, transparent=True)
    return buffer.getvalue()


def _pixels(figure: Figure) -> bytes:
    """PNG with a palette of 256 colours, a third of the size of one without."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(PNG_DPI)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        buffer, format="png", compress_level=7, dpi=(PNG_DPI, PNG_DPI)
    )
    return buffer.getvalue()


def _drawn(block: FigureBlock, suffix: str) -> bytes:
    """A figure in one format; a sheet writes its own SVG."""
    if suffix != "svg":
        return _write(_made(block), suffix)
    made = block.make()
    return made.svg().encode() if isinstance(made, Sheet) else _write(_settled(made), suffix)


def _made(block: FigureBlock) -> Figure:
    """Figure whose layout is settled, so that every format and every run has the same one."""
    made = block.make()
    return made.figure() if isinstance(made, Sheet) else _settled(made)


def _settled(figure: Figure) -> Figure:
    from apastats.plots.style import fit

    fit(figure)
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


class Drawings:
    """Figures of one report as bytes; each is drawn once, whatever formats are asked for when."""

    def __init__(self) -> None:
        self._bytes: dict[tuple[str, str], bytes] = {}

    def narrow(self, block: FigureBlock, suffix: str) -> bytes:
        """The figure as it is drawn for a narrow screen."""
        key = (block.slug, f"narrow {suffix}")
        if key not in self._bytes:
            with _settings(_salt(f"{block.slug}-narrow")), page_width(NARROW):
                self._bytes[key] = _drawn(block, suffix)
        return self._bytes[key]

    def get(self, block: FigureBlock, *suffixes: str) -> dict[str, bytes]:
        """The figure in each format."""
        missing = [s for s in suffixes if (block.slug, s) not in self._bytes]
        if missing:
            with _settings(_salt(block.slug)), page_width(PAGE):
                for s in missing:
                    self._bytes[block.slug, s] = _drawn(block, s)
        return {s: self._bytes[block.slug, s] for s in suffixes}


def inline_figure(block: FigureBlock, drawings: Drawings) -> str:
    """The figure for a wide and for a narrow screen, of which the page's style shows one; no request for either.

    SVG elements, or img elements with PNG data where the SVG would be large. A figure that is narrow anyway is there
    once.
    """
    wide, width = _embedded(block, lambda s: drawings.get(block, s)[s], "")
    if width <= NARROW * 96 + 1:
        return wide
    slim, _ = _embedded(block, lambda s: drawings.narrow(block, s), "-narrow")
    return f'<div class="wide">{wide}</div><div class="slim">{slim}</div>'


def _embedded(block: FigureBlock, draw: Callable[[str], bytes], tail: str) -> tuple[str, float]:
    """Element of a figure, and its width in pixels of the page."""
    import html

    svg = b"" if block.n_mark > MAX_MARKS else draw("svg")
    if svg and len(svg) <= MAX_SVG:
        body = embed_svg(svg.decode("utf-8"), f"{block.slug}{tail}", block.alt)
        found = re.search(r' width="(\d+)"', body[: body.index(">")])
        return body, float(found.group(1)) if found else 0.0
    png = draw("png")
    width = int.from_bytes(png[16:20], "big") * 96 // PNG_DPI
    height = int.from_bytes(png[20:24], "big") * 96 // PNG_DPI
    data = base64.b64encode(png).decode()
    alt = html.escape(block.alt, quote=True)
    image = (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{alt}">'
    )
    return image, width


# what matplotlib writes for a line of which nothing is finite
_EMPTY_PATH = re.compile(r'<path(?![^>]*\sd=")[^>]*/>\s*')
# a style like `font: 9px 'DejaVu Sans'`; the page's own font takes over inside a page
_FONT = re.compile(r"font(-family)?:([^;\"]*?)'DejaVu Sans'[^;\"]*")


# decimals that a screen does not show
_LONG = re.compile(r"(?<=\d\.\d\d)\d+")
# places of a drawing, in points: a tenth of one is less than a seventh of a pixel
_PLACES = re.compile(r' (?:d|x|y|x1|x2|y1|y2|points)="[^"]*"|translate\([^)]*\)')
_WHOLE, _TENTH = (
    re.compile(r"(?<=\d)\.0\d*(?![\d.])"),
    re.compile(r"(?<=\d\.[1-9])\d+(?![\d.])"),
)
_TAG = re.compile(r"<[^>.]*\.[^>]*>")
# marks of one style, as matplotlib writes them: the style stands at each
_MARKS = re.compile(r"<g([^>]*)>\s*((?:<use [^>]*/>\s*)+)</g>")
_STYLE = re.compile(r' style="([^"]*)"')


def _shorter(body: str) -> str:
    """The same drawing in fewer bytes."""

    def together(found: re.Match[str]) -> str:
        inside = found.group(2)
        styles = set(_STYLE.findall(inside))
        if len(styles) != 1 or " style=" in found.group(1):
            return found.group(0)
        plain = re.sub(r"\s*\n\s*", "", _STYLE.sub("", inside))
        return f'<g{found.group(1)} style="{styles.pop()}">{plain}</g>'

    def placed(found: re.Match[str]) -> str:
        # nothing is put in the place of what is cut: a group there costs a call of Python for each number
        return _TENTH.sub("", _WHOLE.sub("", found.group()))

    def short(tag: re.Match[str]) -> str:
        return _LONG.sub("", _PLACES.sub(placed, tag.group()))

    return _TAG.sub(short, _MARKS.sub(together, body))


def embed_svg(svg: str, slug: str, alt: str) -> str:
    """SVG for the inside of a page: unique ids, colours that follow the theme, a title for screen readers."""
    import html

    body = svg[svg.index("<svg") :]
    prefix = f"f{hashlib.sha256(slug.encode()).hexdigest()[:6]}-"
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}\1"', body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = _shorter(_EMPTY_PATH.sub("", body))
    body = _FONT.sub(lambda m: f"font{m.group(1) or ''}:{m.group(2)}var(--font)", body)
    for color, variable in ((INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid")):
        body = re.sub(rf"(stroke|fill): {color}\b", rf"\1: var({variable}, {color})", body)
    match = re.match(r"<svg([^>]*)>", body, flags=re.DOTALL)
    attributes = match.group(1) if match else ""
    width = re.search(r'width="([\d.]+)pt"', attributes)
    height = re.search(r'height="([\d.]+)pt"', attributes)
    box = re.search(r'viewBox="[^"]+"', attributes)
    size = "".join(
        f' {k}="{float(m.group(1)) * 4 / 3:.0f}"'
        for k, m in (("width", width), ("height", height))
        if m
    )
    title = f"{prefix}title"
    head = (
        f'<svg role="img" aria-labelledby="{title}"{size} {box.group() if box else ""} '
        f'xmlns="http://www.w3.org/2000/svg"><title id="{title}">{html.escape(alt)}</title>'
    )
    return head + body[match.end() if match else 0 :].strip()
