"""Command line: ``python -m benchmarks [module ...] [--quick] [--markdown FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common import discover, markdown, run


def main() -> int:
    known = discover()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"which of {', '.join(known)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition")
    parser.add_argument("--only", default="", help="rows whose task contains this text")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    unknown = [m for m in arguments.modules if m not in known]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; there are {', '.join(known)}")
    tables = {
        m: run(m, quick=arguments.quick, only=arguments.only) for m in arguments.modules or known
    }
    if arguments.markdown is not None:
        arguments.markdown.write_text(markdown(tables), "utf-8")
    return int(any(row.void for rows in tables.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
