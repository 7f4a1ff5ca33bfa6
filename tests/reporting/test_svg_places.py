"""Drawings inside a page are written short: places to a tenth of a point, what is no place as it was."""

from __future__ import annotations

import re

from apastats.reporting.drawing import _shorter

DRAWING = (
    '<path d="M38.75 121.81L247.68 -0.04" style="opacity: 0.286; stroke-width: 0.755"/>'
    '<use href="#a-m1" x="48.2512" y="7.00"/>'
    '<g transform="translate(12.346 3.00) rotate(-90.25) scale(0.1666)"><text>0.98765</text></g>'
)


def test_places_move_by_less_than_a_tenth_of_a_point() -> None:
    short = _shorter(DRAWING)
    places = re.compile(r' (?:d|x|y)="[^"]*"|translate\([^)]*\)')

    def numbers(text: str) -> list[float]:
        found = " ".join(places.findall(text))
        return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", found)]

    before, after = numbers(DRAWING), numbers(short)
    assert len(before) == len(after) == 8
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 0.1
    assert len(short) < len(DRAWING)


def test_what_is_no_place_keeps_its_digits() -> None:
    short = _shorter(DRAWING)
    for kept in ("opacity: 0.28", "stroke-width: 0.75", "rotate(-90.25)", "scale(0.16)", "0.98765"):
        assert kept in short
