"""Where code reads words back from text: what a result, a table or a note says, searched or cut instead of asked.

Followed through names, calls and returns of the whole package:

>>> find(
...     {
...         "a": "def f(result):\\n    return g(result.info.method)\\ndef g(m):\\n    return m.startswith('exact')"
...     }
... )
["a:4: m.startswith('exact')"]
>>> find({"a": "def f(table):\\n    return [x for x in table.log if 'duplicate' in x]"})
["a:2: 'duplicate' in x"]
>>> find({"a": "def f(info, p):\\n    return info.adjust in ('holm', 'bh') or p.startswith('a')"})
[]
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

# fields of Info that hold words; a formula is a language of its own, which its parsers read
WORDS = frozenset({
    "article", "comparison", "estimand", "family", "held_fixed", "interval", "joint", "margin", "method",
    "not_concluded", "null", "outcome", "reference", "resampled", "rule", "statistic", "test",
})  # fmt: skip
LISTS = frozenset({"log", "messages", "notes", "held_fixed"})
CUT = frozenset({
    "count", "endswith", "find", "index", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit",
    "split", "splitlines", "startswith",
})  # fmt: skip
COLUMN = CUT | {"contains", "extract", "fullmatch", "match"}
SEARCH = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub"})
# typesetting looks at letters, whatever they say
TYPESET = frozenset({"apastats.reporting.markup", "apastats.printable"})
TYPESETTERS = frozenset({"block_size", "capital", "sentence", "wrapped"})
FORMULAS = ("formula", "formulas")

TEXT, BOX = "text", "box"


# what names are filled by, and what searches
MATTER = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.NamedExpr,
    ast.For,
    ast.comprehension,
    ast.Return,
    ast.Call,
    ast.Compare,
)
NUMERIC = ("np", "math", "torch", "xp")


def _infos(function: ast.FunctionDef) -> set[str]:
    """Parameters that are an Info."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = {a.arg for a in arguments if a.annotation and "Info" in ast.unparse(a.annotation)}
    return named | {a.arg for a in arguments if a.arg == "info"}


class Package:
    """Functions by name, with the parameters that get words and what they return."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.functions: list[tuple[str, ast.FunctionDef]] = []
        self.named: dict[str, list[ast.FunctionDef]] = defaultdict(list)
        self.nodes: dict[ast.FunctionDef, list[ast.AST]] = {}
        self.infos: dict[ast.FunctionDef, set[str]] = {}
        for module, source in sources.items():
            if module in TYPESET or module.startswith("apastats.reporting.to_"):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef) and node.name not in TYPESETTERS:
                    self.functions.append((module, node))
                    self.named[node.name].append(node)
                    self.nodes[node] = [n for n in ast.walk(node) if isinstance(n, MATTER)]
                    self.infos[node] = _infos(node)
        self.given: dict[ast.FunctionDef, dict[str, str]] = defaultdict(dict)
        self.returned: dict[ast.FunctionDef, str] = {}
        self.changed = True

    def called(self, call: ast.Call) -> ast.FunctionDef | None:
        """The function that a call means, where one only has that name."""
        found = self.named.get(call.func.id, []) if isinstance(call.func, ast.Name) else []
        return found[0] if len(found) == 1 else None

    def tell(self, function: ast.FunctionDef, parameter: str, kind: str) -> None:
        """Note that a parameter gets words."""
        if (
            self.given[function].get(parameter) != TEXT != kind
            or parameter not in self.given[function]
        ):
            self.changed |= self.given[function].get(parameter) != kind
            self.given[function][parameter] = kind


class Reader:
    """What the names of one function hold: words, lists of words, or neither."""

    def __init__(self, package: Package, function: ast.FunctionDef) -> None:
        self.package, self.function = package, function
        self.holds = dict(package.given[function])
        self.infos = set(package.infos[function])

    def is_info(self, node: ast.AST) -> bool:
        return (isinstance(node, ast.Name) and node.id in self.infos) or (
            isinstance(node, ast.Attribute) and node.attr == "info"
        )

    def of(self, node: ast.AST | None) -> str | None:
        """Whether an expression is words, or a list of them."""
        if isinstance(node, ast.Name):
            return self.holds.get(node.id)
        if isinstance(node, ast.Attribute):
            if self.is_info(node.value):
                return (
                    BOX if node.attr in {*LISTS, "extra"} else TEXT if node.attr in WORDS else None
                )
            if node.attr in LISTS and getattr(node.value, "id", "") not in NUMERIC:
                return BOX
            return self.of(node.value)
        if isinstance(node, ast.Subscript):
            if getattr(node.slice, "value", None) in FORMULAS:
                return None
            return TEXT if self.is_info(node.value) or self.of(node.value) else None
        if isinstance(node, ast.Call):
            return self.of_call(node)
        if isinstance(node, ast.JoinedStr):
            return TEXT if any(self.of(v) == TEXT for v in node.values) else None
        if isinstance(node, ast.FormattedValue | ast.Starred | ast.NamedExpr):
            return self.of(node.value)
        if isinstance(node, ast.BoolOp):
            return next(filter(None, map(self.of, node.values)), None)
        if isinstance(node, ast.IfExp):
            return self.of(node.body) or self.of(node.orelse)
        if isinstance(node, ast.BinOp):
            return self.of(node.left) or self.of(node.right)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return BOX if any(map(self.of, node.elts)) else None
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return BOX if self.of(node.elt) else None
        return None

    def of_call(self, node: ast.Call) -> str | None:
        function = self.package.called(node)
        if function is not None:
            return self.package.returned.get(function)
        first = self.of(node.args[0]) if node.args else None
        if isinstance(node.func, ast.Name):
            same = {"str": TEXT, "repr": TEXT, "next": TEXT}
            boxes = {
                "list",
                "tuple",
                "set",
                "sorted",
                "zip",
                "enumerate",
                "reversed",
                "map",
                "filter",
                "iter",
            }
            given = next(filter(None, map(self.of, node.args)), None)
            return same.get(node.func.id, BOX if node.func.id in boxes else None) if given else None
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "get" and self.is_info(node.func.value):
                return TEXT
            if node.func.attr in ("join", "fromkeys"):
                return (TEXT if node.func.attr == "join" else BOX) if first else None
            return self.of(node.func.value)
        return None

    def hold(self, target: ast.AST, value: ast.AST | None, kind: str | None) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for t, v in zip(target.elts, value.elts, strict=False):
                self.hold(t, v, self.of(v))
            return
        for node in ast.walk(target):
            if not isinstance(node, ast.Name):
                continue
            if value is not None and self.is_info(value):
                self.infos.add(node.id)
            elif kind:
                self.holds[node.id] = kind

    def read(self) -> None:
        """Follow names, and tell the functions that are called what they get."""
        for node in self.package.nodes[self.function]:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self.hold(target, node.value, self.of(node.value))
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.AugAssign):
                self.hold(node.target, node.value, self.of(node.value))
            elif isinstance(node, ast.For | ast.comprehension):
                self.hold(node.target, None, TEXT if self.of(node.iter) else None)
            elif isinstance(node, ast.Return) and self.of(node.value):
                if self.package.returned.get(self.function) is None:
                    self.package.returned[self.function] = str(self.of(node.value))
                    self.package.changed = True
            elif isinstance(node, ast.Call):
                self.pass_on(node)

    def pass_on(self, node: ast.Call) -> None:
        function = self.package.called(node)
        if function is None:
            return
        parameters = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        pairs = list(zip(parameters, node.args, strict=False))
        pairs += [(k.arg, k.value) for k in node.keywords if k.arg]
        for parameter, value in pairs:
            if kind := self.of(value):
                self.package.tell(function, parameter, kind)

    def found(self) -> list[ast.AST]:
        """Searches in words, and cuts."""
        return [node for node in self.package.nodes[self.function] if self.reads(node)]

    def reads(self, node: ast.AST) -> bool:
        if any(getattr(a, "value", None) == "\n" for a in _searched_for(node)):
            return False  # lines are layout
        if isinstance(node, ast.Compare):
            return any(
                isinstance(o, ast.In | ast.NotIn) and self.of(right) == TEXT
                for o, right in zip(node.ops, node.comparators, strict=True)
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # words in a column of a table
            if getattr(node.func.value, "attr", "") == "str" and node.func.attr in COLUMN:
                return True
            cut = node.func.attr in CUT and self.of(node.func.value) == TEXT
            searched = node.func.attr in SEARCH and self.of(node.func.value) is None
            return cut or (searched and any(self.of(a) == TEXT for a in node.args))
        return False


def _searched_for(node: ast.AST) -> list[ast.expr]:
    return (
        [node.left]
        if isinstance(node, ast.Compare)
        else node.args
        if isinstance(node, ast.Call)
        else []
    )


def find(sources: Mapping[str, str]) -> list[str]:
    """Places where words are read back, as ``module:line: code``."""
    package = Package(sources)
    readers: list[tuple[str, Reader]] = []
    while package.changed:
        package.changed = False
        readers = [(module, Reader(package, f)) for module, f in package.functions]
        for _, reader in readers:
            reader.read()
            reader.read()  # names used before the line that fills them, in loops
    return sorted(
        {
            f"{module}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
            for module, reader in readers
            for node in reader.found()
        }
    )
