"""Formulas of mixed models: outcome, fixed part, random terms, with the position of every fault.

The text is read by a small scanner of our own, so that only names, numbers, operators and a few named
functions ever reach the library that builds the fixed columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from apastats.arguments import instance
from apastats.errors import FormulaError
from apastats.mixed.engine.outcomes import OUTCOMES

__all__ = [
    "OUTCOME_TRANSFORMS",
    "MixedFormula",
    "original_names",
    "quoted",
    "renamed",
    "safe_names",
    "RandomTerm",
    "parse_mixed_formula",
    "variables_in",
]

OUTCOME_TRANSFORMS = tuple(OUTCOMES)
AS_FACTOR = ". A column of text is a factor: data.assign(x=data.x.astype(str))"
FIXED_FUNCTIONS = ("log", "log10", "sqrt", "exp", "center", "scale", "poly", "I", "bs", "ns")
OPTIONS = ("df", "degree")  # of the functions: poly(x, degree=2), ns(x, df=3)

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<operator>\|\||\*\*|[-+*:/^()|,~=]))"
)
_SAFE = re.compile(r"\bapacol(\d+)_(?!\w)")


@dataclass(frozen=True)
class RandomTerm:
    """One ``(effects | group)`` of a formula.

    Attributes
    ----------
    effects : tuple of str
        Pieces that vary by group, each a formula of its own ("1", "x"); in a correlated term they
        share one covariance matrix.
    correlated : bool
        False where written with ``||``.
    group : tuple of str
        Columns whose combination is the grouping factor.
    members : bool
        True for ``mm(a, b)``: every row belongs to a level of each column, from one common set.
    text : str
        As written, normalised.
    """

    effects: tuple[str, ...]
    correlated: bool
    group: tuple[str, ...]
    members: bool = False

    @property
    def group_name(self) -> str:
        """Name of the grouping factor."""
        return f"mm({', '.join(self.group)})" if self.members else ":".join(self.group)

    @property
    def text(self) -> str:
        """Term as a formula."""
        effects = self.effects if "1" in self.effects else ("0", *self.effects)
        bar = "|" if self.correlated else "||"
        names = [quoted(c) for c in self.group]
        group = f"mm({', '.join(names)})" if self.members else ":".join(names)
        return f"({' + '.join(effects)} {bar} {group})"


@dataclass(frozen=True)
class MixedFormula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        As given.
    outcome : str
        Column on the left.
    transform : str or None
        Function applied to the outcome: ``fisher_z``, ``log``, ``log10``, ``logit`` or ``sqrt``.
    fixed : str
        Right side without the random terms.
    random : tuple of RandomTerm
    offset : str or None
        Column whose values enter the mean with coefficient 1.
    """

    text: str
    outcome: str
    transform: str | None
    fixed: str
    random: tuple[RandomTerm, ...]
    offset: str | None = None

    @property
    def outcome_text(self) -> str:
        """Left side."""
        name = quoted(self.outcome)
        return f"{self.transform}({name})" if self.transform else name

    def rebuilt(
        self, *, fixed: str | None = None, random: tuple[RandomTerm, ...] | None = None
    ) -> MixedFormula:
        """Formula with another fixed part or other random terms."""
        fixed = self.fixed if fixed is None else fixed
        random = self.random if random is None else random
        more = [f"offset({quoted(self.offset)})"] if self.offset is not None else []
        text = f"{self.outcome_text} ~ " + " + ".join([fixed, *more, *(t.text for t in random)])
        return MixedFormula(text, self.outcome, self.transform, fixed, random, self.offset)

    def __str__(self) -> str:
        return self.text


def quoted(name: str) -> str:
    """A column name as a formula writes it: in backquotes where it is no plain word."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"`{name}`"


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    position: int
    end: int = 0

    @property
    def written(self) -> str:
        """As it goes back into a formula."""
        return quoted(self.value) if self.kind == "name" else self.value


def _scan(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            where = at + len(text[at:]) - len(text[at:].lstrip())
            raise FormulaError(
                text,
                f"{text[where]!r} is not allowed; names (others than plain words in `backquotes`), numbers, "
                f"+ - * : / ^ ( ) | and the functions {', '.join(FIXED_FUNCTIONS)} are",
                position=where,
            )
        kind = str(found.lastgroup)
        value = found.group(kind)
        start = found.start(kind) - (kind == "quoted")
        tokens.append(_Token("name" if kind == "quoted" else kind, value, start, found.end()))
        at = found.end()
    return tokens


def parse_mixed_formula(formula: str) -> MixedFormula:
    """Read ``outcome ~ fixed + (effects | group) + ...``.

    Parameters
    ----------
    formula : str
        Fixed part with ``+ - * : / ^``, the functions ``log, log10, sqrt, exp, center, scale, poly``, splines
        ``bs(x, df=4)`` and ``ns(x, df=3)``, arithmetic inside ``I(...)``, and ``offset(x)``. Names that are no plain
        words stand in `` `backquotes` ``.
        Random terms ``(1 | g)``, ``(1 + x | g)`` correlated, ``(1 + x || g)`` uncorrelated,
        ``(1 | a:b)`` combination, ``(1 | a/b)`` nested (``a`` and ``a:b``), ``(1 | mm(a, b))``
        multi-membership. The outcome is a column or ``fisher_z``, ``log``, ``log10``, ``logit``, ``sqrt`` of one.

    Returns
    -------
    MixedFormula

    Raises
    ------
    FormulaError
        With the position of the fault.

    Examples
    --------
    >>> found = parse_mixed_formula("z ~ model * stream + (1 | subject) + (1 + level || roi)")
    >>> found.fixed, [t.text for t in found.random]
    ('model * stream', ['(1 | subject)', '(1 + level || roi)'])
    """
    instance(
        "formula", formula, str, "a string such as 'score ~ model + (1 | subject) + (1 | roi)'"
    )
    tokens = _scan(formula)
    tildes = [t for t in tokens if t.value == "~"]
    if len(tildes) != 1:
        where = tildes[1].position if tildes else len(formula)
        raise FormulaError(formula, "exactly one '~' is needed", position=where)
    split = tokens.index(tildes[0])
    outcome, transform = _outcome(formula, tokens[:split], tildes[0].position)
    right, offset = _without_offset(formula, tokens[split + 1 :])
    fixed, random = _right(formula, right)
    return MixedFormula(formula.strip(), outcome, transform, fixed, random, offset)


def _outcome(text: str, tokens: list[_Token], end: int) -> tuple[str, str | None]:
    values = [t.value for t in tokens]
    if len(tokens) == 1 and tokens[0].kind == "name":
        return values[0], None
    if len(tokens) == 4 and values[1] == "(" and values[3] == ")" and tokens[2].kind == "name":
        if values[0] not in OUTCOME_TRANSFORMS:
            raise FormulaError(
                text,
                f"{values[0]!r} is no transformation of the outcome; allowed: {', '.join(OUTCOME_TRANSFORMS)}",
                position=tokens[0].position,
            )
        return values[2], values[0]
    where = tokens[1].position if len(tokens) > 1 else end
    raise FormulaError(
        text, "one outcome, or a function of one, is needed on the left side", position=where
    )


def _without_offset(text: str, tokens: list[_Token]) -> tuple[list[_Token], str | None]:
    """The right side without ``offset(x)``, and its column."""
    at = [i for i, t in enumerate(tokens) if t.value == "offset" and tokens[i + 1 : i + 2]
          and tokens[i + 1].value == "("]  # fmt: skip
    if not at:
        return tokens, None
    i = at[0]
    inner = tokens[i + 2 : i + 3]
    closed = [t.value for t in tokens[i + 3 : i + 4]] == [")"]
    joined = all(t.value == "+" for t in (*tokens[i - 1 : i], *tokens[i + 4 : i + 5]))
    if len(at) > 1 or not (inner and inner[0].kind == "name" and closed and joined):
        raise FormulaError(
            text,
            "an offset is one column, joined by '+': offset(x)",
            position=tokens[at[-1]].position,
        )
    left, right = tokens[:i], tokens[i + 4 :]
    if left:
        left = left[:-1]
    elif right:
        right = right[1:]
    return ([*left, *right] or [_Token("number", "1", tokens[i].position)]), inner[0].value


def renamed(text: str, place: dict[str, str]) -> str:
    """A piece of a formula with other column names."""
    tokens = _scan(text)
    out, at = "", 0
    for token, name in zip(tokens, _columns(tokens), strict=True):
        if name is None:
            continue
        out += text[at : token.position] + place.get(name, name)
        at = token.end
    return out + text[at:]


def safe_names(names: list[str]) -> dict[str, str]:
    """Names that no library takes for something else (a column may be called ``C``), by column."""
    return {name: f"apacol{i}_" for i, name in enumerate(names)}


def original_names(label: str, names: list[str]) -> str:
    """A label of the library with the names of the data again."""
    return _SAFE.sub(lambda found: names[int(found.group(1))], label)


def _columns(tokens: list[_Token]) -> list[str | None]:
    """Per token the column it names; None for functions, options, numbers, operators."""
    following = [*(t.value for t in tokens[1:]), ""]
    return [
        t.value if t.kind == "name" and after not in ("(", "=") else None
        for t, after in zip(tokens, following, strict=True)
    ]


def variables_in(text: str) -> list[str]:
    """Column names in a piece of a formula: names that are not functions, in order."""
    return list(dict.fromkeys(name for name in _columns(_scan(text)) if name is not None))


def _closing(text: str, tokens: list[_Token], start: int) -> int:
    """Index of the parenthesis that closes the one at ``start``."""
    depth = 0
    for i in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[i].value, 0)
        if depth == 0:
            return i
    raise FormulaError(text, "'(' is never closed", position=tokens[start].position)


def _right(text: str, tokens: list[_Token]) -> tuple[str, tuple[RandomTerm, ...]]:
    """Fixed part as text, and the random terms."""
    if not tokens:
        raise FormulaError(
            text, "the right side is empty; write 1 for a mean alone", position=len(text)
        )
    fixed: list[_Token] = []
    random: list[RandomTerm] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.value in ("|", "||", "~", ",", "="):
            raise FormulaError(
                text,
                f"{token.value!r} belongs inside parentheses, as in (1 | subject)",
                position=token.position,
            )
        if token.value == ")":
            raise FormulaError(text, "')' without '('", position=token.position)
        if token.value != "(":
            fixed.append(token)
            i += 1
            continue
        end = _closing(text, tokens, i)
        inner = tokens[i + 1 : end]
        function = i > 0 and tokens[i - 1].kind == "name"
        if function or not any(t.value in ("|", "||") for t in inner):
            if function and tokens[i - 1].value not in FIXED_FUNCTIONS:
                raise FormulaError(
                    text,
                    f"{tokens[i - 1].value!r} is no known function; allowed: {', '.join(FIXED_FUNCTIONS)}"
                    + AS_FACTOR * (tokens[i - 1].value in ("factor", "as.factor", "C")),
                    position=tokens[i - 1].position,
                )
            fixed += tokens[i : end + 1]
        else:
            _needs_plus(text, tokens, i, end)
            if fixed:
                fixed.pop()  # the plus before the term
            random += _random(text, inner, token.position)
        i = end + 1
    while fixed and fixed[0].value == "+":
        fixed.pop(0)
    names = [t.text for t in random]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise FormulaError(text, f"the random term {name} is given twice")
    return _fixed_text(text, fixed), tuple(random)


def _needs_plus(text: str, tokens: list[_Token], start: int, end: int) -> None:
    for where in (start - 1, end + 1):
        if 0 <= where < len(tokens) and tokens[where].value != "+":
            raise FormulaError(
                text, "random terms are joined by '+'", position=tokens[where].position
            )


def _fixed_text(text: str, tokens: list[_Token]) -> str:
    """Check the order of operands and operators; the text that goes on."""
    operand = True
    for k, token in enumerate(tokens):
        if token.kind in ("name", "number"):
            if not operand:
                raise FormulaError(
                    text, f"an operator is missing before {token.value!r}", position=token.position
                )
            operand = False
        elif token.value == "=":
            if tokens[k - 1].value not in OPTIONS:
                raise FormulaError(
                    text,
                    f"'=' follows an option of a function: {', '.join(OPTIONS)}",
                    position=token.position,
                )
            operand = True
        elif token.value == "(":
            if not operand and tokens[k - 1].kind != "name":
                raise FormulaError(
                    text, "an operator is missing before '('", position=token.position
                )
            operand = True
        elif token.value == ")":
            if operand:
                raise FormulaError(text, "a term is missing before ')'", position=token.position)
        else:
            if operand and token.value != "-":
                raise FormulaError(
                    text, f"a term is missing before {token.value!r}", position=token.position
                )
            operand = True
    if tokens and operand:
        raise FormulaError(
            text, "a term is missing at the end of the fixed part", position=len(text)
        )
    out = ""
    for token in tokens:
        value = "**" if token.value == "^" else token.written
        out += (
            f" {value} "
            if value in ("+", "-", "*", "/")
            else f"{value} "
            if value == ","
            else value
        )
    return out.strip() or "1"


def _random(text: str, tokens: list[_Token], position: int) -> list[RandomTerm]:
    """Terms of one parenthesis: several where the grouping is nested."""
    bars = [k for k, t in enumerate(tokens) if t.value in ("|", "||")]
    if len(bars) != 1:
        raise FormulaError(text, "one '|' is allowed per term", position=tokens[bars[1]].position)
    left, right = tokens[: bars[0]], tokens[bars[0] + 1 :]
    correlated = tokens[bars[0]].value == "|"
    effects = _effects(text, left, position)
    after = tokens[bars[0]].position + len(tokens[bars[0]].value)
    if right and right[0].value == "mm":
        names = [t for t in right[1:] if t.kind == "name"]
        inside = [v for n in names for v in (n.value, ",")][:-1]
        shape = ["(", *inside, ")"]
        if [t.value for t in right[1:]] != shape or len(names) < 2:
            raise FormulaError(
                text, "multi-membership is written mm(a, b)", position=right[0].position
            )
        return [RandomTerm(effects, correlated, tuple(t.value for t in names), members=True)]
    if not right:
        raise FormulaError(text, "a grouping column is missing after the bar", position=after)
    parts: list[list[str]] = [[]]
    for k, token in enumerate(right):
        if (k % 2 == 0) != (token.kind == "name"):
            raise FormulaError(
                text, "grouping columns are joined by ':' or '/'", position=token.position
            )
        if token.kind == "name":
            parts[-1].append(token.value)
        elif token.value == "/":
            parts.append([])
        elif token.value != ":":
            raise FormulaError(
                text, "grouping columns are joined by ':' or '/'", position=token.position
            )
    if len(right) % 2 == 0:
        raise FormulaError(
            text, "a grouping column is missing at the end", position=right[-1].position
        )
    groups = [tuple(n for part in parts[: k + 1] for n in part) for k in range(len(parts))]
    return [RandomTerm(effects, correlated, g) for g in groups]


def _effects(text: str, tokens: list[_Token], position: int) -> tuple[str, ...]:
    """Pieces left of the bar; an intercept unless 0 is given."""
    pieces: list[str] = []
    intercept = True
    current = ""
    for token in [*tokens, _Token("operator", "+", position)]:
        if token.value == "+":
            if current == "0":
                intercept = False
            elif current not in ("", "1"):
                pieces.append(current)
            elif current == "":
                raise FormulaError(
                    text, "a term is missing before the bar", position=token.position
                )
            current = ""
        elif token.value in ("-", "*", "/", "~", ",", "^", "**"):
            raise FormulaError(
                text,
                "effects of a random term are joined by '+' (a product is written a:b)",
                position=token.position,
            )
        else:
            current += token.written
    effects = (("1",) if intercept else ()) + tuple(pieces)
    if not effects:
        raise FormulaError(text, "a random term without any effect", position=position)
    return effects
