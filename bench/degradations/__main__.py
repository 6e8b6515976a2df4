"""Write the page that shows what each score sees: python -m veristem.bench.degradations [-o docs]."""

from __future__ import annotations

import argparse
from pathlib import Path

from veristem.bench.degradations.measure import all_answers
from veristem.bench.degradations.page import write_page


def main() -> None:
    """Measure all answers and write the page."""
    parser = argparse.ArgumentParser(prog="python -m veristem.bench.degradations", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("docs"), help="folder of scores.md")
    print(write_page(all_answers(), parser.parse_args().out))


if __name__ == "__main__":
    main()
