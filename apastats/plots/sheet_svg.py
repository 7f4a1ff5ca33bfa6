"""A sheet written as SVG straight from its numbers: matplotlib takes most of its time for texts."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["sheet_svg"]

POINTS = 72.0
MANY_POINTS = 400
PITCH = 1.2  # distance of the lines of a text, in its size
DASHES = {"--": (3.7, 1.6), ":": (1.0, 1.65), "-.": (6.4, 1.6, 1.0, 1.6)}


def sheet_svg(sheet: Any) -> str:
    """The drawing that ``Sheet.figure`` makes, as an SVG document; the same sheet gives the same bytes."""
    wide, high = sheet.width * POINTS, sheet.height * POINTS
    out = [
        '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n'
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="{wide:.2f}pt" height="{high:.2f}pt" '
        f'viewBox="0 0 {wide:.2f} {high:.2f}" xmlns="http://www.w3.org/2000/svg" version="1.1">'
    ]
    for k, (key, parts) in enumerate(sheet.paths.in_order()):
        what, _, color, edge, width, dash, alpha, marker, size = key
        clear = f"; opacity: {alpha:g}" if alpha != 1 else ""
        if what == "point":
            if marker == "o" and not width and sum(map(len, parts)) > MANY_POINTS:
                # strokes without length and with round ends, a third of the bytes
                d = "".join(f"M{x:.2f} {y:.2f}h0" for x, y in np.concatenate(parts) * POINTS)
                style = f"fill: none; stroke: {color}; stroke-width: {size:.3g}; stroke-linecap: round{clear}"
                out.append(f'<path d="{d}" style="{style}"/>')
                continue
            shape = _marker(marker, size)
            rim = f"stroke: {edge or color}; stroke-width: {width:g}" if width else "stroke: none"
            uses = "".join(
                f'<use xlink:href="#m{k}" x="{x:.2f}" y="{y:.2f}"/>'
                for x, y in np.concatenate(parts) * POINTS
            )
            out.append(
                f'<defs><path id="m{k}" d="{shape}"/></defs><g style="fill: {color}; {rim}{clear}">{uses}</g>'
            )
            continue
        end = "Z" if what == "area" else ""
        d = "".join(f"M{'L'.join(f'{x:.2f} {y:.2f}' for x, y in p * POINTS)}{end}" for p in parts)
        if what == "area":
            style = f"fill: {color}; stroke: none{clear}"
        else:
            gaps = ",".join(f"{v * width:.2f}" for v in DASHES.get(dash, ()))
            broken = f"; stroke-dasharray: {gaps}" if gaps else ""
            style = f"fill: none; stroke: {color}; stroke-width: {width:g}{broken}{clear}"
        out.append(f'<path d="{d}" style="{style}"/>')
    out += [
        "<g style=\"font-family: 'DejaVu Sans', sans-serif\">",
        *map(_text, sheet.texts),
        "</g></svg>\n",
    ]
    return "\n".join(out)


def _text(text: tuple[float, float, str, float, str, str, int, bool, str]) -> str:
    """Lines of one text, placed as matplotlib places them."""
    x, y, words, size, ha, va, turn, bold, color = text
    x, y = x * POINTS, y * POINTS
    lines = words.replace(r"\$", "$").split("\n")
    more = (len(lines) - 1) * PITCH * size
    weight = "; font-weight: bold" if bold else ""
    if turn:
        # read upwards: the end is on top, the last line on the right
        anchor = {"top": "end", "center": "middle"}[va]
        last = x + {"center": 0.35 * size + more / 2, "right": -0.22 * size}[ha]
        places = [(last - more + k * PITCH * size, y) for k in range(len(lines))]
    else:
        anchor = {"left": "start", "center": "middle", "right": "end"}[ha]
        down = {"top": 0.8 * size, "bottom": -more - 0.22 * size}.get(va, 0.35 * size - more / 2)
        places = [(x, y + down + k * PITCH * size) for k in range(len(lines))]
    style = f"font-size: {size:g}px; text-anchor: {anchor}; fill: {color}{weight}"
    return "".join(
        f'<text style="{style}" transform="translate({a:.2f} {b:.2f}){" rotate(-90)" if turn else ""}">'
        f"{html.escape(line)}</text>"
        for line, (a, b) in zip(lines, places, strict=True)
    )


@lru_cache(maxsize=64)
def _marker(marker: str, size: float) -> str:
    """Outline of a marker around the origin."""
    from matplotlib.markers import MarkerStyle
    from matplotlib.path import Path

    style = MarkerStyle(marker)
    path = style.get_path().transformed(style.get_transform())
    signs = {
        Path.MOVETO: "M",
        Path.LINETO: "L",
        Path.CURVE3: "Q",
        Path.CURVE4: "C",
        Path.CLOSEPOLY: "Z",
    }
    d = []
    for points, code in path.iter_segments(simplify=False):
        if code == Path.CLOSEPOLY:
            d.append("Z")
            continue
        xy = points.reshape(-1, 2) * (size, -size)
        d.append(signs[code] + " ".join(f"{a:.3g} {b:.3g}" for a, b in xy))
    return "".join(d)
