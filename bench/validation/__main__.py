"""Write the page of validation, or a study of it: one of STUDIES into a folder of its own.

python -m veristem.bench.validation [-o docs] [--only 1 9]; python -m veristem.bench.validation modes -o DIR.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

STUDIES = ("modes", "faces", "beams", "angles")  # modules with a write_study(folder)


def main() -> int:
    """Write the page, or a study; 1 when a bound is not met."""
    parser = argparse.ArgumentParser(prog="python -m veristem.bench.validation", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("page", *STUDIES), default="page")
    parser.add_argument("-o", "--out", type=Path, default=Path("docs"), help="folder of validation.md, or of the study")
    parser.add_argument("--only", nargs="+", default=[], metavar="N", help="numbers of checks, such as 1 9")
    options = parser.parse_args()
    if options.what in STUDIES:
        print(import_module(f"veristem.bench.validation.{options.what}").write_study(options.out))
        return 0
    from veristem.bench.validation import CHECKS
    from veristem.bench.validation.page import write_page

    chosen = [n for n in CHECKS if not options.only or {n, n.rstrip("abcd")} & set(options.only)]
    if not chosen:
        print(f"--only: {' '.join(options.only)} found, allowed are {' '.join(CHECKS)}", file=sys.stderr)
        return 2
    checks = []
    for number in chosen:
        checks.append(CHECKS[number]())
        print(f"{number:>3} {checks[-1].measured:.3g} < {checks[-1].bound:.3g} {checks[-1].title}")
    print(write_page(checks, options.out))
    return int(not all(check.passed for check in checks))


if __name__ == "__main__":
    sys.exit(main())
