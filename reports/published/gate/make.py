"""How often the gate is wrong, and how small a loss it sees.

python reports/published/gate/make.py works on the rows kept in its folder; --run DIR makes them anew, which takes about
an hour.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from planted import LOSSES, REDRAWN, SAME, planted_rows
from power_page import write_page
from veristem.bench.gate.permutation import worse
from veristem.bench.gate.record import Record, gated, record_of_rows
from veristem.bench.gate.verdict import FALSE_ALARM, Verdict, away, compare, meaningful
from veristem.datasets.recipe import load_recipe, load_study

STUDIES = ("gate-lines", "gate-particles")
SEEDS = 60  # stored ones, that comparisons are drawn from
RERUNS = 20
POWER = 0.9
_REPEATS = 100  # of a comparison in which a loss is looked for


class Trial:
    """The rows of a gate study in all variants.

    Parameters
    ----------
    study : str
        Its name.
    table : DataFrame
        Rows as of `planted_rows`, those of the study itself as variant `SAME`.
    """

    def __init__(self, study: str, table):
        self.study = load_study(study)
        self.recipe = load_recipe(self.study.recipe)
        self.table = table

    def record(self, variant: str = SAME, seeds: Iterable[int] | None = None) -> Record:
        """The record of a variant; of all its seeds if not given."""
        rows = self.table[self.table["variant"] == variant]
        wanted = sorted(set(rows["seed"])) if seeds is None else list(seeds)
        return record_of_rows(rows, self.study, self.recipe, wanted)

    def false_alarms(self, is_paired: bool, draws: int, rng: np.random.Generator) -> tuple[int, int]:
        """Of so many comparisons in which nothing has changed, how many call a metric worse, and how many fail at all.

        Unpaired: two groups of the stored seeds, each as many as the gate has. Paired: the noise drawn again, with
        before and now changed over at random for every seed, so that neither is better.
        """
        count = self.study.seeds
        now = self.record(REDRAWN)
        before = self.record(seeds=now.seeds)
        worse = fell = 0
        for _ in range(draws):
            chosen = [now.seeds[i] for i in rng.choice(len(now.seeds), 2 * count, replace=False)]
            if is_paired:
                verdict = compare(*_changed_over(before, now, sorted(chosen[:count]), rng), rng)
            else:
                verdict = compare(before.subset(sorted(chosen[:count])), before.subset(sorted(chosen[count:])), rng)
            worse += bool(verdict.of("worse"))
            fell += not verdict.passed
        return worse, fell

    def reruns(self, rng: np.random.Generator) -> list[Verdict]:
        """The gate's baseline against runs of other seeds."""
        count = self.study.seeds
        baseline = self.record(seeds=range(count))
        stored = len(set(self.table.loc[self.table["variant"] == SAME, "seed"]))
        starts = range(count, stored - count + 1, count)[:RERUNS]
        return [compare(baseline, self.record(seeds=range(s, s + count)), rng) for s in starts]

    def planted(self, rng: np.random.Generator) -> dict[str, Verdict]:
        """Every loss against the gate's baseline: the same specimens and noise."""
        baseline = self.record(seeds=range(self.study.seeds))
        return {name: compare(baseline, self.record(name), rng) for name in (SAME, *LOSSES)}

    def smallest(self, rng: np.random.Generator) -> dict[str, tuple[float, ...]]:
        """By metric its mean, and the losses caught with 90 % power: paired with nothing else changed, paired with the
        noise drawn again, and unpaired; infinite where more seeds would have to have a value.
        """
        now = self.record(REDRAWN)
        before = self.record(seeds=now.seeds)
        method, keys = self.study.methods[0], [cell.key for cell in before.cells]
        known = gated()
        table = {n: [_by_seed(r, method, n, keys) for r in (before, now)] for n in before.metrics[method]}
        table = {name: values for name, values in table.items() if np.isfinite(values[0]).any()}
        metrics, values = [known[name] for name in table], np.array(list(table.values())).transpose(1, 2, 0)
        sign = np.array([away(metric, v) for metric, v in zip(metrics, np.nanmean(values, axis=(0, 1)))])
        least = np.array([meaningful(metric) for metric in metrics])
        first, second = (sign * v for v in values)
        count = self.study.seeds
        needed = np.zeros((3, _REPEATS, len(metrics)))
        for repeat in range(_REPEATS):
            chosen = rng.choice(len(now.seeds), 2 * count, replace=False)
            one, other = chosen[:count], chosen[count:]
            redrawn = np.where(rng.random(count)[:, None] < 0.5, second[one], first[one])
            sides = (first[one], first[one], True), (first[one] + second[one] - redrawn, redrawn, True), (
                first[one], first[other], False,
            )  # fmt: skip
            for kind, (mine, yours, is_paired) in enumerate(sides):
                for i in range(len(metrics)):

                    def chance(loss: float, i=i, mine=mine, yours=yours, is_paired=is_paired) -> float:
                        changed = yours + loss * (np.arange(len(metrics)) == i)
                        return worse(mine, changed, least, is_paired, FALSE_ALARM, rng)[0][i]

                    needed[kind, repeat, i] = _least(chance, 8 * float(np.nanstd(first[:, i])))
        losses = np.column_stack([np.nanmean(values[0], axis=0), *np.quantile(needed, POWER, axis=1, method="higher")])
        return {metric.name: tuple(map(float, row)) for metric, row in zip(metrics, losses)}


def make_rows(study: str, work: Path):
    """All rows that a `Trial` needs: the study with enough seeds for the reruns, the noise drawn again, the losses."""
    import pandas as pd

    from veristem.bench.study.runner import run_study

    loaded = load_study(study)
    recipe = load_recipe(loaded.recipe)
    more = loaded.changed({"seeds": loaded.seeds * (RERUNS + 1)})
    rows = run_study(more, recipe, work / study).assign(variant=SAME)
    others = [row for seed in range(SEEDS) for row in planted_rows(loaded, recipe, seed, seed < loaded.seeds)]
    table = pd.concat([rows, pd.DataFrame(row for row in others if row["variant"] != SAME)], ignore_index=True)
    return table[["variant", "method", "conditions", "seed", "error", "version", *gated()]]


def _changed_over(before: Record, now: Record, seeds: list[int], rng: np.random.Generator) -> tuple[Record, Record]:
    """Both records of some seeds, with the sides of each seed changed over by the toss of a coin."""
    one, other = before.subset(seeds), now.subset(seeds)
    swap = rng.random(len(seeds)) < 0.5
    for mine, yours in zip(one.cells, other.cells):
        for name in mine.values.keys() & yours.values.keys():
            a, b = mine.values[name], yours.values[name]
            mine.values[name] = [y if s else x for x, y, s in zip(a, b, swap)]
            yours.values[name] = [x if s else y for x, y, s in zip(a, b, swap)]
    return one, other


def _by_seed(record: Record, method: str, name: str, keys: list[tuple[str, str]]) -> np.ndarray:
    """Mean over the conditions; NaN where one has no value."""
    return record.values(method, name, keys, record.seeds).mean(axis=1)


def _least(chance: Callable[[float], float], high: float) -> float:
    """The smallest loss of one metric, in its unit, whose chance is at most the false-alarm rate; infinite for none."""
    if not chance(high) <= FALSE_ALARM:
        return np.inf
    low = 0.0
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (low, middle) if chance(middle) <= FALSE_ALARM else (middle, high)
    return high


def main() -> None:
    """Measure, and write README.md."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(__file__).parent, help="folder of the rows and of README.md"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="make the rows anew, with studies in this folder")
    parser.add_argument("--draws", type=int, default=2000, help="comparisons in which nothing has changed")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    trials = []
    for study in STUDIES:
        path = options.out / f"{study}.parquet"
        if options.run:
            make_rows(study, options.run).to_parquet(path)
        trials.append(Trial(study, pd.read_parquet(path)))
    print(write_page(trials, options.out, options.draws))


if __name__ == "__main__":
    main()
