"""Mutants of a module: one operator, constant, comparison or condition changed, everything else as it is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

Change = Callable[[ast.AST], str]  # changes a node in place, and says how

_COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum",
           "floor": "ceil", "ceil": "floor", "nanmin": "nanmax", "nanmax": "nanmin", "sum": "mean"}  # fmt: skip


def _changes(node: ast.AST) -> Iterator[Change]:
    """Ways to change a node."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in _COMPARED:
                yield lambda n, i=i, op=op: _swap(n.ops, i, _COMPARED[type(op)]())  # type: ignore
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _COMPUTED:
        yield _operator
    if isinstance(node, ast.BoolOp):
        yield _junction
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield _unary
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield _constant
    if isinstance(node, (ast.If, ast.IfExp)):
        yield _condition
    if isinstance(node, ast.Attribute) and node.attr in _CALLED:
        yield _attribute
    if isinstance(node, ast.Name) and node.id in _CALLED:
        yield _name


def _swap(ops: list[ast.cmpop], i: int, new: ast.cmpop) -> str:
    said = f"{type(ops[i]).__name__} -> {type(new).__name__}"
    ops[i] = new
    return said


def _operator(node: ast.AST) -> str:
    assert isinstance(node, (ast.BinOp, ast.AugAssign))
    new = _COMPUTED[type(node.op)]()
    said = f"{type(node.op).__name__} -> {type(new).__name__}"
    node.op = new
    return said


def _junction(node: ast.AST) -> str:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return f"-> {type(node.op).__name__}"


def _unary(node: ast.AST) -> str:
    assert isinstance(node, ast.UnaryOp)
    said = f"{type(node.op).__name__} left out"
    # +x, and bool(x) in place of not x
    node.op = ast.UAdd() if not isinstance(node.op, ast.Not) else ast.Not()
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return said


def _constant(node: ast.AST) -> str:
    assert isinstance(node, ast.Constant)
    old = node.value
    node.value = (not old) if isinstance(old, bool) else old + 1
    return f"{old} -> {node.value}"


def _condition(node: ast.AST) -> str:
    assert isinstance(node, (ast.If, ast.IfExp))
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return "condition turned round"


def _attribute(node: ast.AST) -> str:
    assert isinstance(node, ast.Attribute)
    old, node.attr = node.attr, _CALLED[node.attr]
    return f"{old} -> {node.attr}"


def _name(node: ast.AST) -> str:
    assert isinstance(node, ast.Name)
    old, node.id = node.id, _CALLED[node.id]
    return f"{old} -> {node.id}"


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes in bodies of functions; annotations, defaults and messages of errors are none of them."""
    for node in tree.body if isinstance(tree, ast.Module) else []:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inner:
            if isinstance(function, ast.FunctionDef):
                for statement in function.body:
                    yield from _below(statement)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.Raise, ast.JoinedStr)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _below(child)


def number_of_mutants(source: str) -> int:
    """How many mutants a module has."""
    return sum(1 for node in _nodes(ast.parse(source)) for _ in _changes(node))


def mutant(source: str, index: int) -> tuple[ast.Module, int, str]:
    """The module with its ``index``-th change made, the line and the change in words."""
    tree = ast.parse(source)
    count = 0
    for node in _nodes(tree):
        for change in _changes(node):
            if count == index:
                line = getattr(node, "lineno", 0)
                said = change(node)
                return ast.fix_missing_locations(tree), line, said
            count += 1
    raise IndexError(index)


def sources(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Files of a room."""
    return sorted(p for pattern in patterns for p in root.glob(pattern) if p.name != "__init__.py")
