"""The map in CONTRIBUTING holds: no import against it, no circle, and a verb is found by its name."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import apastats
from tests.read_back import find

ROOT = Path(__file__).resolve().parent.parent
MAP = (ROOT / "CONTRIBUTING.md").read_text().split("## Map of the repository")[1].split("\n## ")[0]
ROWS = [line.split("|")[1] for line in MAP.splitlines() if line.startswith("| `apastats/")]
ORDER = [
    Path(name.removeprefix("apastats/")).stem for row in ROWS for name in re.findall("`(.+?)`", row)
]
FACADE = re.search(r"^Facade: `(\w+)\.py` reaches up to (.+?), inside", MAP, re.MULTILINE)
FAMILIES = re.search(r"Families of twins share a module: (.+?)\.\n", MAP, re.DOTALL)
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "apastats").rglob("*.py")
}


def room(module: str) -> str:
    """Return the room of a module: the second part of its name."""
    return [*module.split("."), "__init__"][1]


def imports(nodes: list[ast.AST]) -> set[str]:
    """Return the modules of the package that a piece of code imports, inside functions too."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in inner}
    return found & set(FILES)


def circles(arrows: dict[str, set[str]]) -> None:
    TopologicalSorter(arrows).prepare()  # raises CycleError with the circle


TREES = {module: ast.parse(path.read_text()) for module, path in FILES.items()}
ARROWS = {module: imports(list(ast.walk(tree))) - {module} for module, tree in TREES.items()}


def against(arrows: dict[str, set[str]]) -> list[str]:
    """Return the imports from a room that the map names later, the facade left out."""
    assert FACADE is not None
    allowed = {(FACADE[1], name) for name in re.findall(r"`(\w+)`", FACADE[2])}
    return sorted(
        f"{module} -> {target}"
        for module, targets in arrows.items()
        for target in targets
        if ORDER.index(room(target)) > ORDER.index(room(module))
        and (room(module), room(target)) not in allowed
    )


def test_every_room_is_on_the_map() -> None:
    assert {room(module) for module in FILES} <= set(ORDER)
    assert len(ORDER) == len(set(ORDER))


def test_no_import_runs_against_the_map() -> None:
    assert against(ARROWS) == []
    assert against({"apastats.numbers.ranks": {"apastats.comparing.ranks"}}) != []


def test_the_facade_is_lazy() -> None:
    assert FACADE is not None
    top = imports(list(TREES[f"apastats.{FACADE[1]}"].body))
    assert {room(name) for name in top}.isdisjoint(re.findall(r"`(\w+)`", FACADE[2]))


def test_there_are_no_circles_of_modules_or_rooms() -> None:
    assert FACADE is not None
    arrows = {module: set(targets) for module, targets in ARROWS.items()}
    arrows[f"apastats.{FACADE[1]}"] = imports(list(TREES[f"apastats.{FACADE[1]}"].body))
    circles(arrows)
    rooms: dict[str, set[str]] = {}
    for module, targets in arrows.items():
        rooms.setdefault(room(module), set()).update(map(room, targets))
    circles({name: targets - {name} for name, targets in rooms.items()})


def test_a_verb_stands_in_a_module_of_its_name_or_of_its_family() -> None:
    assert FAMILIES is not None
    families = re.findall(r"`(\w+)`", FAMILIES[1])
    assert len(families) <= 8
    wrong = []
    for name, module in apastats.EXPORTS.items():
        home = module.rsplit(".", 1)[1]
        if isinstance(getattr(apastats, name), type):
            snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
            found = home in apastats.EXPORTS or snake.endswith(home)
        else:
            found = home in (name, name.removesuffix("_summary"), *families)
        if not found:
            wrong.append(f"{name} in {module}")
    assert wrong == []


@pytest.mark.parametrize("first", ["modules", "names"])
def test_a_name_stays_the_verb_after_its_module_is_imported(first: str) -> None:
    program = (
        "import importlib, types, apastats as apa\n"
        f"names = {first == 'names'}\n"
        "before = {n: getattr(apa, n) for n in apa.EXPORTS} if names else {}\n"
        "for module in {*apa.EXPORTS.values()}: importlib.import_module(module)\n"
        "for n, m in apa.EXPORTS.items():\n"
        "    assert not isinstance(getattr(apa, n), types.ModuleType), n\n"
        "    assert getattr(apa, n) is getattr(importlib.import_module(m), n), n\n"
        "    assert not names or getattr(apa, n) is before[n], n\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_name_on_the_map_is_there() -> None:
    for row in ROWS:
        for name in re.findall("`(.+?)`", row):
            assert (ROOT / "apastats" / name.removeprefix("apastats/")).exists(), name
    recipes = (ROOT / "CONTRIBUTING.md").read_text().split("## Where new code goes")[1]
    recipes = recipes.split("\n## ")[0]
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", recipes)
    assert len(named) > 10
    for name in named:
        places = (ROOT / name, ROOT / "apastats" / name)
        assert any(place.exists() for place in places), name


# forks in the way through a function; a function inside it counts for itself
FORKS = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.Assert, ast.comprehension)
LONGEST = 25


def complexity(function: ast.AST) -> int:
    """Return McCabe's number as radon counts it: forks, conditions joined by and/or, comprehensions."""
    count, left = 1, list(ast.iter_child_nodes(function))
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        left += ast.iter_child_nodes(node)
        count += isinstance(node, FORKS)
        if isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        if isinstance(node, ast.comprehension):
            count += len(node.ifs)
        if isinstance(node, ast.For | ast.While | ast.Try) and node.orelse:
            count += 1
    return count


def test_no_function_forks_more_than_25_times() -> None:
    one = ast.parse("def f(x):\n return [v for v in x if v and x or x[0]]").body[0]
    assert complexity(one) == 5
    over = {
        f"{module}.{node.name}": complexity(node)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and complexity(node) > LONGEST
    }
    assert over == {}, "cut it in parts"


def test_no_file_is_much_above_500_lines() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: n for name, n in lines.items() if n > 600} == {}


def test_words_are_asked_and_not_read_back_from_text() -> None:
    found = find({module: path.read_text() for module, path in FILES.items()})
    assert found == [], (
        "give the fact a field of its own: Info, Drawn, Held, StatedMargin, Facts (words.py)"
    )


def asked_again(tree: ast.AST) -> list[str]:
    """Refusals of an argument that ``arguments.py`` has a check for, as ``line: check``."""
    found = []
    for node in ast.walk(tree):
        body = node.body[0] if isinstance(node, ast.If) else None
        if not isinstance(body, ast.Raise) or not isinstance(body.exc, ast.Call):
            continue
        call = body.exc
        if getattr(call.func, "id", "") != "InputError" or len(call.args) < 3 or call.keywords:
            continue  # a hint is more than a check says
        assert isinstance(node, ast.If)
        value, allowed, test = (ast.unparse(a) for a in (call.args[1], call.args[2], node.test))
        v = re.escape(value)
        listed = re.fullmatch(rf"{v} not in (\w+)", test)
        if re.fullmatch(rf"not isinstance\({v}, \(?bool.*\)", test):
            found.append(f"{node.lineno}: flag")
        elif re.search(rf"not 0 < {v} < 1\b", test):
            found.append(f"{node.lineno}: level")
        elif listed and allowed in (
            f"f'one of {{list({listed[1]})}}'",
            f"f'one of {{{listed[1]}}}'",
        ):
            found.append(f"{node.lineno}: choice")
        elif re.fullmatch(rf"not isinstance\({v}, \(?int\b.*\) or {v} <=? \d+", test):
            found.append(f"{node.lineno}: whole")
        elif re.fullmatch(r"type\((\w+)\).__name__", value) and re.fullmatch(
            rf"not isinstance\({re.escape(value[5:-10])}, [\w.]+\)", test
        ):
            found.append(f"{node.lineno}: instance")
    return found


def test_no_argument_is_checked_by_hand_where_arguments_has_a_check() -> None:
    again = "if not 0 < alpha < 1:\n raise InputError('alpha', alpha, 'a number between 0 and 1')"
    assert asked_again(ast.parse(again)) == ["1: level"]
    again = "if k not in KINDS:\n raise InputError('k', k, f'one of {list(KINDS)}')"
    assert asked_again(ast.parse(again)) == ["1: choice"]
    found = {m: asked_again(tree) for m, tree in TREES.items() if m != "apastats.arguments"}
    assert {m: lines for m, lines in found.items() if lines} == {}


# rooms where the mathematics is: least comment lines per 100 lines of code
COMMENTED = {
    "numbers": 2.5, "resampling": 2.0, "scoring": 2.0, "comparing": 2.0, "patterns": 2.0, "mixed/engine": 2.0,
}  # fmt: skip


def lines_of(text: str) -> tuple[int, int]:
    """Return lines with a comment (for a reader, not for a tool), and lines of code without docstrings and imports."""
    apart: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        said = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        if said or isinstance(node, ast.Import | ast.ImportFrom):
            apart |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    comments, code = set(), set()
    space = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if not token.string.startswith(("# fmt:", "# noqa", "# type:")):
                comments.add(token.start[0])
        elif token.type not in space:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(comments), len(code - apart)


def test_lines_are_counted_as_they_are_read() -> None:
    text = '"""Said."""\nimport os\n\n# why\nx = (\n    1,  # unit\n)\ny = 2  # noqa: X\n'
    assert lines_of(text) == (2, 4)


@pytest.mark.parametrize("place", COMMENTED)
def test_the_mathematics_is_commented(place: str) -> None:
    counts = [
        lines_of(path.read_text())
        for path in FILES.values()
        if path.relative_to(ROOT / "apastats").as_posix().startswith(f"{place}/")
    ]
    comments, code = (sum(part) for part in zip(*counts, strict=True))
    assert 100 * comments / code >= COMMENTED[place], (comments, code)
