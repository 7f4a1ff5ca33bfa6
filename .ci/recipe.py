"""Write recipe/meta.yaml, the conda recipe, from pyproject.toml; given the sdist, with its hash."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UPLOADED = "{{ environ['SDIST_SHA256'] }}"  # known when the sdist is built
NAMES = {
    "pyarrow": ["pyarrow-core", "libparquet"],
    "matplotlib": ["matplotlib-base"],
}  # the small builds suffice


def recipe(root: Path = ROOT, sha256: str = UPLOADED) -> str:
    """Text of the recipe, with the hash of the sdist where there is one."""
    from packaging.requirements import Requirement

    content = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    project = content["project"]
    run = {}
    for text in project["dependencies"]:
        wanted = Requirement(text)
        floor = next(s.version for s in wanted.specifier if s.operator == ">=")
        for name in NAMES.get(wanted.name.lower(), [wanted.name.lower()]):
            run.setdefault(name, floor)
    python = project["requires-python"].removeprefix(">=")
    host = [t.replace(">=", " >=") for t in content["build-system"]["requires"]]
    lines = [
        "{% set name = \"apastats\" %}",
        f"{{% set version = \"{project['version']}\" %}}",
        f'{{% set python_min = "{python}" %}}',
        "",
        "package:",
        "  name: {{ name|lower }}",
        "  version: {{ version }}",
        "",
        "source:",
        "  url: https://pypi.org/packages/source/{{ name[0] }}/{{ name }}/{{ name }}-{{ version }}.tar.gz",
        f"  sha256: {sha256}",
        "",
        "build:",
        "  noarch: python",
        "  number: 0",
        "  script: {{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation",
        "  entry_points:",
        *(f"    - {k} = {v}" for k, v in project["scripts"].items()),
        "",
        "requirements:",
        "  host:",
        "    - python {{ python_min }}",
        "    - pip",
        *(f"    - {t}" for t in host),
        "  run:",
        "    - python >={{ python_min }}",
        *(f"    - {n} >={v}" for n, v in run.items()),
        "",
        "test:",
        "  imports:",
        "    - apastats",
        "    - pyarrow.parquet",
        "  commands:",
        "    - pip check",
        "    - apastats --help",
        "  requires:",
        "    - python {{ python_min }}",
        "    - pip",
        "",
        "about:",
        f"  home: {project['urls']['Homepage']}",
        f"  dev_url: {project['urls']['Source']}",
        f"  doc_url: {project['urls']['Documentation']}",
        f"  summary: {project['description']!r}",
        f"  license: {project['license']}",
        "  license_file: LICENSE",
        "",
        "extra:",
        "  recipe-maintainers:",
        "    - apastats",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sdist = [hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in sys.argv[1:]]
    (ROOT / "recipe" / "meta.yaml").write_text(recipe(ROOT, *sdist), "utf-8")
    sys.stdout.write("recipe/meta.yaml\n")
