"""Print the floors of pyproject.toml as exact versions: core, and the extras that the sample of .ci/oldest needs."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("cluster", "excel", "netcdf", "transport")


def floors(root: Path = ROOT) -> list[str]:
    """Requirements as ``name==floor``, those for other Pythons left out."""
    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    listed = list(project["dependencies"])
    for extra in EXTRAS:
        listed += project["optional-dependencies"][extra]
    found = []
    for text in listed:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        least = next(s.version for s in wanted.specifier if s.operator in (">=", "=="))
        extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
        found.append(f"{wanted.name}{extras}=={least}")
    return found


if __name__ == "__main__":
    try:
        import packaging  # noqa: F401
    except ImportError:  # a fresh environment has it inside pip
        import sys

        import pip._vendor.packaging as vendored

        sys.modules["packaging"] = vendored
        import pip._vendor.packaging.requirements as requirements

        sys.modules["packaging.requirements"] = requirements
    print("\n".join(floors()))
