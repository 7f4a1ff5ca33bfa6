"""Numbers as text: estimates, statistics, p-values and intervals in the style of a journal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from apastats.arguments import choice
from apastats.errors import InputError
from apastats.reporting.markup import sym

__all__ = ["NumberStyle", "as_style"]

MINUS = "\u2212"
THIN = "\u00a0"


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written.

    Attributes
    ----------
    name : str
        Name of the style.
    decimals : int or None
        Decimals of estimates, errors and limits; None: two digits of the typical standard error.
    statistic_decimals, p_decimals : int
        Decimals of test statistics and p-values.
    p_floor : float
        Smaller p-values are written as ``p < floor``; 0 writes them in scientific form.
    p_leading_zero : bool
        ``0.012`` or ``.012``.
    p_symbol : str
        ``p`` or ``P``.
    minus : str
        Minus sign.
    percent_space : bool
        ``90 %`` or ``90%``.
    interval : {"brackets", "to"}
        ``[0.1, 0.2]`` or ``0.1 to 0.2``.
    """

    name: str = "apa"
    decimals: int | None = None
    statistic_decimals: int = 2
    p_decimals: int = 3
    p_floor: float = 0.001
    p_leading_zero: bool = False
    p_symbol: str = "p"
    minus: str = MINUS
    percent_space: bool = True
    interval: str = "brackets"

    def number(self, value: float, decimals: int) -> str:
        """Fixed number of decimals; nan and infinity in words."""
        value = float(value)
        if math.isnan(value):
            return "not defined"
        if math.isinf(value):
            return "infinity" if value > 0 else f"{self.minus}infinity"
        text = f"{abs(value):.{decimals}f}"
        # a rounded zero has no sign
        return f"{self.minus}{text}" if value < 0 and float(text) != 0 else text

    def percent(self, share: float) -> str:
        """Share as per cent, ``90 %``."""
        text = f"{100 * share:.10g}"
        return f"{text}{THIN}%" if self.percent_space else f"{text}%"

    def share(self, value: float) -> str:
        """Share as per cent with one decimal; nothing but 0 and 1 is written as 0 or 100 per cent."""
        value = float(value)
        if math.isnan(value):
            return "not defined"
        text = f"{100 * value:.1f}"
        if text == "100.0" and value < 1:
            text = "> 99.9"
        elif text == "0.0" and value > 0:
            text = "< 0.1"
        return f"{text}{THIN}%" if self.percent_space else f"{text}%"

    def p_value(self, p: float, mcse: float = 0.0) -> str:
        """``= .012`` or ``< .001``, without the symbol; a sampled one with the digits that its error leaves."""
        p = float(p)
        if math.isnan(p):
            return "not defined"
        places = self.p_decimals
        while places > 1 and mcse > 0.5 * 10.0**-places:
            places -= 1
        if places < self.p_decimals:
            least = 10.0**-places
            if round(p, places) in (0, 1):
                sign, edge = ("<", least) if p < 0.5 else (">", 1 - least)
                return f"{sign} {self._p_text(edge, places)}"
            return f"= {self._p_text(p, places)}"
        if self.p_floor > 0 and p < self.p_floor:
            return f"< {self._p_text(self.p_floor, max(self.p_decimals, _places(self.p_floor)))}"
        if p > 0 and round(p, self.p_decimals) == 0:
            mantissa, exponent = f"{p:.1e}".split("e")
            return f"= {mantissa}\u00a0\u00d7\u00a010^{self.minus}{-int(exponent)}"
        if round(p, self.p_decimals) >= 1:
            return f"> {self._p_text(1 - 10**-self.p_decimals, self.p_decimals)}"
        return f"= {self._p_text(p, self.p_decimals)}"

    def p(self, p: float, label: str = "", *, mcse: float = 0.0) -> str:
        """``p = .012``; ``label`` follows the symbol."""
        text = self.p_value(p, mcse)
        joint = " " if text.startswith(("=", "<", ">")) else " is "
        return f"{sym(self.p_symbol)}{label}{joint}{text}"

    def level(self, alpha: float) -> str:
        """A significance level as p-values are written: ``.05``."""
        text = f"{alpha:g}"
        return text if self.p_leading_zero else text.removeprefix("0")

    def _p_text(self, p: float, decimals: int) -> str:
        text = f"{p:.{decimals}f}"
        return text if self.p_leading_zero or p >= 1 else text.removeprefix("0")

    def interval_text(
        self, low: float, high: float, level: float, decimals: int, *, label: str = "CI"
    ) -> str:
        """``90 % CI [0.010, 0.021]``."""
        return f"{self.percent(level)} {label} {self.span(low, high, decimals, self.interval)}"

    def span(self, low: float, high: float, decimals: int, form: str = "brackets") -> str:
        """``[0.010, 0.021]``; an open end stands for "however large"."""
        texts = [
            f"{self.minus if v < 0 else ''}\u221e" if math.isinf(v) else self.number(v, decimals)
            for v in (low, high)
        ]
        if form != "brackets":
            return " to ".join(texts)
        left, right = "(" if math.isinf(low) else "[", ")" if math.isinf(high) else "]"
        return f"{left}{', '.join(texts)}{right}"

    def statistic(self, symbol: str, value: float, *df: float | None) -> str:
        """``t(9) = 2.31``, ``F(2, 18) = 5.10``; a fractional df keeps two decimals."""
        known = [d for d in df if d is not None and math.isfinite(d)]
        shown = [f"{d:.0f}" if abs(d - round(d)) < 1e-6 else f"{d:.2f}" for d in known]
        bracket = f"({', '.join(shown)})" if shown else ""
        letter = "\u03c7\u00b2" if symbol == "chi2" else sym(symbol)
        return f"{letter}{bracket} = {self.number(value, self.statistic_decimals)}"


def _places(value: float) -> int:
    return max(0, -math.floor(math.log10(value)))


APA = NumberStyle()
NATURE = NumberStyle(
    name="nature",
    p_floor=0.0,
    p_leading_zero=True,
    p_symbol="P",
    percent_space=False,
    interval="to",
)
STYLES = {"apa": APA, "nature": NATURE}


def as_style(style: Any) -> NumberStyle:
    """Style from its name, or from a dict of changes to ``apa`` (or to the style it names).

    Parameters
    ----------
    style : {"apa", "nature"}, dict or NumberStyle
        A dict may hold the attributes of :class:`NumberStyle`; ``name`` picks the style it starts from.

    Raises
    ------
    InputError
        If the name or a key is unknown.

    Examples
    --------
    >>> as_style({"p_leading_zero": True}).p_value(0.0123)
    '= 0.012'
    """
    if isinstance(style, NumberStyle):
        return style
    if isinstance(style, str):
        if style not in STYLES:
            raise InputError("style", style, f"one of {list(STYLES)}, or a dict")
        return STYLES[style]
    if not isinstance(style, Mapping):
        raise InputError("style", style, f"one of {list(STYLES)}, or a dict")
    known = {f.name: f for f in fields(NumberStyle)}
    for key in style:
        choice("style", key, known)
    base = as_style(style.get("name", "apa"))
    return replace(base, **_checked({k: v for k, v in style.items() if k != "name"}))


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    for key in ("decimals", "statistic_decimals", "p_decimals"):
        value = changes.get(key, 2)
        optional = key == "decimals" and value is None
        if not optional and (
            isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 12
        ):
            raise InputError(f"style[{key!r}]", value, "an int from 0 to 12")
    floor = changes.get("p_floor", 0.0)
    if isinstance(floor, bool) or not isinstance(floor, (int, float)) or not 0 <= floor < 1:
        raise InputError("style['p_floor']", floor, "a number from 0 to below 1")
    if changes.get("interval", "to") not in ("brackets", "to"):
        raise InputError("style['interval']", changes["interval"], "'brackets' or 'to'")
    for key in ("p_leading_zero", "percent_space"):
        if not isinstance(changes.get(key, True), bool):
            raise InputError(f"style[{key!r}]", changes[key], "True or False")
    for key in ("p_symbol", "minus"):
        if not isinstance(changes.get(key, ""), str):
            raise InputError(f"style[{key!r}]", changes[key], "a string")
    return changes
