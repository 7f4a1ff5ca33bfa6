"""Make the page and figures of the gallery: ``BMD_DIR=DATA python analyses/gallery/build.py [--check]``.

``--check`` writes nothing: it computes all numbers and compares them, and the page, with what is tracked.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "docs" / "gallery_published"
HEAD = """# The paper's items on the published numbers

Every item of the alignment-pattern analysis (Höfling et al., 2026) in a script of its own (`analyses/gallery/`), on
the published scores of five networks and ten people in 19 regions (RSA, test videos). What the paper concludes stands
beside what these numbers show; `build.py` fills in each of them, and a test computes all of them again.
"""


def run(script: Path) -> dict[str, Any]:
    """Names of a script after it ran, its figures drawn without a window."""
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.path.insert(0, str(HERE))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return runpy.run_path(str(script))
    finally:
        sys.path.remove(str(HERE))


def page(found: dict[str, dict[str, Any]]) -> str:
    """The page, numbers filled in."""
    lines = [HEAD]
    for name, made in found.items():
        title = made["__doc__"].split("\n")[0]
        told = made["here"].format(**made["numbers"])
        lines += [f"## {title}", "", f"`analyses/gallery/{name}.py`", "", f"**The paper.** {made['paper']}", "",
                  f"**Here.** {told}", ""]  # fmt: skip
        if made.get("axes") is not None:
            lines += [f"![{title}]({name}.png)", ""]
        for more in made.get("more", {}):
            lines += [f"![{title}: {more}]({name}_{more}.png)", ""]
    return "\n".join(lines)


def scripts() -> list[Path]:
    return sorted(HERE.glob("item_*.py"))


def same(a: Any, b: Any) -> bool:
    """Equal but for rounding."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float):
        return abs(a - b) <= 1e-9 * max(1.0, abs(a))
    return bool(a == b)


def main() -> int:
    found = {s.stem: run(s) for s in scripts()}
    numbers = {name: made["numbers"] for name, made in found.items()}
    if "--check" in sys.argv:
        kept = json.loads((TARGET / "numbers.json").read_text("utf-8"))
        stale = [n for n in numbers if not same(numbers[n], kept.get(n))] + sorted(
            kept.keys() - numbers.keys()
        )
        if page(found) != (TARGET / "README.md").read_text("utf-8"):
            stale.append("README.md")
        sys.stdout.write("".join(f"stale: {s}\n" for s in stale))
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    (TARGET / "README.md").write_text(page(found), "utf-8")
    for name, made in found.items():
        drawn = {name: made.get("axes")} | {
            f"{name}_{k}": v for k, v in made.get("more", {}).items()
        }
        for file, axes in drawn.items():
            if axes is None:
                continue
            axes.figure.savefig(
                TARGET / f"{file}.png", dpi=90, bbox_inches="tight", metadata={"Software": None}
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
