"""The page of rows that `make.py` measured, and of published ones: every number in it is worked out of them here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from measured import (
    CONTACT_NM,
    ELECTRONS,
    HOUGH,
    LEARNED,
    MATCHED,
    MEAN_DEG,
    PUBLISHED,
    RADII,
    SWEPT,
    T20_NM,
    T22_FOUND,
    THRESHOLD,
    Measured,
    Table,
    best_radii,
    interval,
    pixelated,
    published,
    shares,
    sure,
    table,
)
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS


def angles(m: Measured) -> tuple[list[list[str]], dict[float, float]]:
    """Rows of T20 and our peaks."""
    rows, ours = [], {}
    names = [n for n in m.curves[m.curves["question"] == "T20"]["curve"].unique() if str(n).endswith("deg")]
    for name in sorted(names, key=lambda n: float(n.split()[0])):
        angle = float(name.split()[0])
        peak, _ = m.peak("T20", "10 mg/ml", name)
        ours[angle] = np.nan if peak is None else peak
        theirs = f"{T20_NM[angle]:g}" if angle in T20_NM else "–"
        rows.append([f"{angle:g}", theirs, m.peak_text("T20", "10 mg/ml", name)])
    return rows, ours


@styled
def figure(m: Measured):
    """First peaks against the assumed angle, and what is found against the radius of the discs."""
    drawing = open_figure((7.6, 2.9))
    left, right = drawing.subplots(1, 2)
    _, ours = angles(m)
    left.plot(list(ours), list(ours.values()), "o-", ms=4, lw=1, color=METHODS[0], label="ours, 95 %")
    for angle in ours:
        low, high = np.quantile(m.peak("T20", "10 mg/ml", f"{angle:g} deg")[1], [0.025, 0.975])
        left.plot([angle] * 2, [low, high], "-", lw=2.5, alpha=0.4, color=METHODS[0])
    left.plot(list(T20_NM), list(T20_NM.values()), "s-", ms=4, lw=1, color=METHODS[1], label="the thesis")
    left.axhline(m.peak("T20", "10 mg/ml", "truth")[0] or np.nan, color="0.4", lw=1, ls="--", label="our truth")
    left.axhline(5.8, color=METHODS[1], lw=1, ls=":", label="its tomogram")
    left.set(xlabel="assumed stereo angle (deg)", ylabel="first peak of g(r) (nm)")
    left.set_title("a  T20", loc="left")
    left.legend()
    of = m.rows[m.rows["question"] == "T22"]
    radii = sorted({int(c.split()[0]) for c in of["condition"]})
    for n, dwell in enumerate(SWEPT):
        electrons = ELECTRONS[dwell]
        for method, line, name in ((THRESHOLD, "-", "threshold"), (LEARNED, "--", "learned")):
            every = [m.of("T22", f"{radius} px", method, dwell) for radius in radii]
            share = [one["recall"].mean() for one in every]
            right.plot(radii, share, f"o{line}", ms=3, lw=1, color=METHODS[n], label=f"{electrons} e, {name}")
    right.set(xlabel="radius of the discs (pixels)", ylabel="share of the particles found", ylim=(0, 1.02))
    right.set_title("b  T22", loc="left")
    right.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing


def write_page(folder: Path) -> Path:
    """Write peaks.png and README.md into a folder and return the latter's path.

    Raises
    ------
    AssertionError
        For a sentence that the rows do not bear out.
    """
    m = Measured(folder)
    (folder / "peaks.png").write_bytes(drawn(figure(m), "png", 200))
    of_angles, ours = angles(m)
    film = m.of("T20", "10 mg/ml", HOUGH)
    slope = film["depth_slope"]
    seen_deg = 2 * np.degrees(np.arctan(slope * np.tan(np.radians(MEAN_DEG) / 2)))
    truth_nm, matched_nm = (m.peak("T20", "10 mg/ml", curve)[0] for curve in ("truth", "points-matched"))
    in_view, in_film = shares(film)
    tomogram: Table = pd.read_csv(PUBLISHED / "particles-tomogram" / "scores.csv")
    ways = {way: rows["recall"] for way, rows in tomogram.groupby("way")}
    ten = published("particles-concentration", concentration_mg_per_ml=10, method="points-matched")
    forty = published("particles-concentration", concentration_mg_per_ml=40, method="points-matched")
    chains = {
        name: published("particles-chains", longest=longest, method="points-matched")
        for name, longest in (("short chains", 5), ("long chains", 60))
    }

    spans = {a: np.quantile(m.peak("T20", "10 mg/ml", f"{a:g} deg")[1], [0.025, 0.975]) for a in (2.0, 3.0)}
    at_three = float(np.tan(np.radians(MEAN_DEG) / 2) / np.tan(np.radians(3.0) / 2) * slope.mean())
    dim = m.rows[(m.rows["question"] == "T22") & (m.rows["dwell_us"] == 4.0)]
    best = {}
    for dwell in SWEPT:
        for method in (THRESHOLD, LEARNED, MATCHED):
            recall = {radius: m.of("T22", f"{radius} px", method, dwell)["recall"].mean() for radius in RADII}
            best[dwell, method] = best_radii(recall)
    lost = {lens: m.of("T23", f"60 mrad, lens {lens}", THRESHOLD, 40.0) for lens in ("none", "unbalanced")}
    learned = m.of("T23", "60 mrad, lens unbalanced", LEARNED, 40.0)
    low, _, middle, high = (m.of("T22", "70 px", THRESHOLD, dwell) for dwell in ELECTRONS)
    found_at = {radius: m.of("T22", f"{radius} px", THRESHOLD, 40.0)["found"].mean() for radius in T22_FOUND}
    small = m.of("T22", "40 px", LEARNED, 40.0)["recall"].mean()
    peaks = [float(m.peak("T22", "70 px", curve, 40.0)[0] or np.nan) for curve in ("truth", THRESHOLD)]

    rows = [
        [
            "T19",
            "counts by quadrants, 10 mg/ml",
            "1324 in one view, 1304 in 3D: 0.98",
            f"by its way {in_view} of those in one view, {in_film} of what is there; `points-matched` "
            f"{interval(ten['count_found'])} of {interval(ten['count_truth'])}, F {interval(ten['f_score'])}",
            "partly",
            sure(
                (film["found"] < film["truth"]).all() and ten["f_score"].min() > 0.98,
                "A number near one in 3D over one view does not say that nothing is missing: both lack what overlaps.",
            ),
        ],
        [
            "T19",
            "tomogram beside it",
            "1304 against 1606: 0.81",
            f"quadrants {interval(ways['quadrants'])}, tomogram {interval(ways['tomogram, views found'])} of what is "
            "there",
            "no",
            sure(
                ways["tomogram, views found"].mean() < ways["quadrants"].mean(),
                "The tomogram, taken for the truth, is the one that misses more here: the difference of counts is no "
                "measure of what quadrants miss.",
            ),
        ],
        [
            "T20",
            "first peak of g(r), nm, at 2.0, 2.2, 2.8, 3.0°",
            "6.0, 5.9, 5.6, 5.5; tomogram 5.8",
            ", ".join(f"{ours[a]:.2f}" for a in T20_NM) + f"; truth {truth_nm:.2f}, `points-matched` {matched_nm:.2f}",
            "not to be told",
            sure(
                spans[2.0][1] > spans[3.0][0],
                f"From {spans[2.0][0]:.2f} to {spans[2.0][1]:.2f} nm at 2.0° and from {spans[3.0][0]:.2f} to "
                f"{spans[3.0][1]:.2f} nm at 3.0° (95 %): a field of "
                f"{len(film) / 4:g} times the thesis's cannot tell the angles by their first peak.",
            ),
        ],
        [
            "T20",
            "which angle is right",
            "2.8 or 3.0°, by g(r) at large r",
            f"{interval(seen_deg)}°, from the depths that circles give; mean of the quadrants {MEAN_DEG:.2f}°",
            "yes",
            sure(
                abs(seen_deg.mean() - 2.8) < abs(seen_deg.mean() - MEAN_DEG),
                "Gold scatters into the cone and shows steeper rays than the mean: 3.0° makes depths "
                f"{at_three:.2f} of the truth, the mean direction {slope.mean():.2f}.",
            ),
        ],
    ]
    for name, counted, theirs in (
        ("40 mg/ml", forty, "4444; 5.2 nm"),
        ("short chains", chains["short chains"], "704; 5.4 nm"),
        ("long chains", chains["long chains"], "1408; 5.1 nm"),
    ):
        thesis_way = m.of("T21", name, HOUGH)
        first = [m.peak("T21", name, curve)[0] for curve in ("truth", "points-matched", "3 deg")]
        text = [f"{p:.2f}" if p else "none" for p in first]
        rows.append(
            [
                "T21",
                f"{name}: found in 3D; first peak",
                theirs,
                f"{interval(counted['count_found'])} of {interval(counted['count_truth'])}, F "
                f"{interval(counted['f_score'])}; its way {shares(thesis_way)[1]} of what is there; peak: truth "
                f"{text[0]}, `points-matched` {text[1]}, its way at 3° {text[2]} nm",
                "no" if first[2] is None or abs(first[2] - float(theirs.split()[1])) > 0.3 else "yes",
                _why_t21(m, name, float(theirs.split()[1])),
            ]
        )
    rows += [
        [
            "T22",
            "pixelated, 28 mrad: found in all four views at 40, 50, 70 px",
            "264, 309 (of 366 in one view), 363",
            "; ".join(
                f"{ELECTRONS[d]} electrons: "
                + ", ".join(f"{m.of('T22', f'{r} px', THRESHOLD, d)['found'].mean():.0f}" for r in T22_FOUND)
                for d in SWEPT
            )
            + f" of {interval(low['truth'])}",
            "at 2500 electrons: " + ", ".join(f"{r} px {_near(found_at[r], n)}" for r, n in T22_FOUND.items()),
            sure(
                low["found"].mean() < 1 and found_at[70] > found_at[50] > found_at[40],
                f"250 electrons, what 4 µs at 0.01 nA are, are too few for a threshold; ten times as many find "
                f"{found_at[70] / middle['truth'].mean():.0%} at 70 px.",
            ),
        ],
        [
            "T22",
            "best radius of the discs",
            "70 px",
            "; ".join(
                f"{ELECTRONS[d]} electrons: threshold {best[d, THRESHOLD]}, learned {best[d, LEARNED]}, matched "
                f"{best[d, MATCHED]}"
                for d in SWEPT
            ),
            "yes" if best[40.0, THRESHOLD] == "70 px" else "no",
            sure(
                small > 0.95 * m.of("T22", "70 px", LEARNED, 40.0)["recall"].mean(),
                f"That is the threshold's: at 2500 electrons `points-learned` finds {small:.0%} at 40 px as well. The "
                f"limit in depth falls from {_limit(dim, 30)} to {_limit(dim, 70)} nm from 30 to 70 px at 250 "
                "electrons, for a larger disc has more of them.",
            ),
        ],
        [
            "T22",
            "first peak, bins of 1 nm, 70 px",
            "5.5 nm",
            "; ".join(
                f"{ELECTRONS[d]} electrons: truth {m.peak_text('T22', '70 px', 'truth', d)}, threshold "
                f"{m.peak_text('T22', '70 px', THRESHOLD, d)}, `points-matched` "
                f"{m.peak_text('T22', '70 px', MATCHED, d)}"
                for d in ELECTRONS
            ),
            "not to be told",
            sure(
                abs(peaks[1] - peaks[0]) > 0.5 and high["limit_nm"].mean() < 1,
                f"Depths are known to {low['limit_nm'].mean():.2g} nm at 250 electrons and to "
                f"{middle['limit_nm'].mean():.2g} nm at 2500, where the peak of what is found lies "
                f"{peaks[1] - peaks[0]:+.2f} nm off: the same 5.5 nm as by quadrants proves nothing.",
            ),
        ],
        [
            "T23",
            "60 mrad, 80 px, 6°",
            "detection fails",
            f"at 2500 electrons, in all four views: {interval(lost['unbalanced']['found'])} with a lens flat to 23 "
            f"mrad, {interval(lost['none']['found'])} with an ideal one, of {interval(lost['none']['truth'])}; "
            f"at 28 mrad {interval(middle['found'])}",
            "yes" if lost["unbalanced"]["found"].max() < 0.1 * lost["unbalanced"]["truth"].min() else "no",
            sure(
                lost["none"]["found"].max() < 0.5 * middle["found"].min()
                and learned["found"].min()
                > 0.8 * learned["truth"].max()
                > 2 * (learned["recall"] * learned["truth"]).max(),
                "The lens is not all of it: with an ideal one the threshold loses most as well, for a wider cone has "
                f"less depth of field. `points-learned` finds {interval(learned['found'])} through the real one, but "
                f"only {interval(learned['recall'])} of what is there at its place: aberrations move images as depth "
                "does.",
            ),
        ],
    ]
    for name, theirs, share in (
        ("40 mg/ml", "960 of 1066 in one view: 0.90; 4.5 nm", 960 / 1066),
        ("2.5 mg/ml", "185 of 230: 0.80; 6.6 nm", 185 / 230),
    ):
        of = {dwell: m.of("T24", name, THRESHOLD, dwell) for dwell in (40.0, 1400.0)}
        rows.append(
            [
                "T24",
                f"{name}, 70 px",
                theirs,
                "; ".join(
                    f"{ELECTRONS[d]} electrons: {shares(one)[0]} of those in one view, {shares(one)[1]} of what is "
                    f"there, peak {m.peak_text('T24', name, THRESHOLD, d)}, truth "
                    f"{m.peak_text('T24', name, 'truth', d)}"
                    for d, one in of.items()
                ),
                f"share {_near(of[40.0]['found'].sum() / of[40.0]['first_view'].sum(), share)}, peak no",
                _why_t24(m, name),
            ]
        )
    text = _README.format(
        table=table(["", "asked", "the thesis", "ours", "agree", "why"], rows),
        angles=table(["assumed °", "the thesis, nm", "ours, nm (95 %)"], of_angles),
        pixelated=table(
            [
                "",
                "condition",
                "electrons",
                "there",
                "threshold: first view",
                "threshold: 3D",
                "learned: 3D",
                "matched: 3D",
                "F threshold",
                "F learned",
                "F matched",
                "limit in depth, nm",
            ],
            pixelated(m),
        ),
        films=len(film),
        particles=interval(film["truth"]),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"


def _limit(rows: Table, radius: int) -> str:
    return f"{rows[rows['condition'] == f'{radius} px']['limit_nm'].mean():.2g}"


_README = """# Chapter 6 of the thesis beside known truth: T19 to T24

```
python reports/published/particles-thesis/make.py
```

Counts of the named studies ([concentration](../particles-concentration/README.md),
[chains](../particles-chains/README.md), [tomogram](../particles-tomogram/README.md)) are read from their tables, the
rest is `rows.csv` and `curves.csv` beside this page. ±: 95 % over films (Student's t), both values where there are two
films; of peaks: 95 % by drawing films anew.

{table}

*Its way*: circles by Gaussian, Sobel and Hough in each quadrant, matches in all four, depths by an assumed angle. T20:
{films} films of 410 nm, a quarter of the thesis's field, with {particles} particles each, that attract each other by
3 kT over 0.4 nm, since particles that only keep apart have no peak to speak of at 10 mg/ml; electrons that gold
scatters into the cone counted (`specimen.rescattering`). T21: two films of 410 nm. T22 to T24: recipe `film-4d`, two
films, three at 250 electrons, four discs on a ring of 3° (6°) clipped by the rim, as sums of whole pixels; T23, whose
lens has aberrations, as sums of rays. The thesis says 4 µs a pattern, which at 0.01 nA are 250 electrons, and a time
for the whole scan that would be 1.4 ms, which are 87 000: both are here, and 750 and 2500.

![First peaks of g(r) over the assumed angle; share of particles found over the radius of the discs](peaks.png)

## T20: the assumed angle

{angles}

## T22 to T24: all rows

{pixelated}

*There*: particles within the field. Threshold: level and blobs as the thesis, found in all four views. The limit in
depth is the median over the particles of a film.

**Limits.** The thesis's particles, ice and dose are not known better than it tells them; counts that depend on
thickness (704, 1408, 4444) are not compared, shares are. Its threshold was set by hand for every image, ours is Otsu's,
not below four standard deviations of the noise. Two or three films are few: read differences that are larger than those
between films.
"""


def _why_t21(m: Measured, name: str, theirs_nm: float) -> str:
    truth, two, three = (m.peak("T21", name, curve)[0] or np.nan for curve in ("truth", "2 deg", "3 deg"))
    moved = abs(two - three)
    return sure(
        moved < 0.5 * (truth - theirs_nm),
        f"Another angle, 2° for 3°, moves it by {moved:.2f} nm only, so pairs across the beam make it: "
        f"{theirs_nm:g} nm is below our contact of {CONTACT_NM:g} nm, a matter of particles and shells, not of depth.",
    )


def _why_t24(m: Measured, name: str) -> str:
    few, matched = (m.of("T24", name, method, 40.0) for method in (THRESHOLD, MATCHED))
    apart, limit = few["first_view"].sum() / few["truth"].sum(), few["limit_nm"].mean()
    if name == "2.5 mg/ml":
        return sure(
            apart > 0.9 and few["truth"].max() < 150,
            f"Particles so far apart are found, but {few['truth'].mean():.0f} of them make no g(r): a pair or two are "
            "its peak.",
        )
    peak = m.peak("T24", name, MATCHED, 40.0)[0] or np.nan
    return sure(
        apart < 0.8 and peak < CONTACT_NM,
        f"Shades overlap: a view has {apart:.2f} of what is there, and four have less in common (`points-matched`: F "
        f"{interval(matched['f_score'])}). A peak below contact, {CONTACT_NM:g} nm, comes of errors in depth alone: "
        f"at {limit:.2g} nm of them `points-matched` has it at {peak:.2f} nm.",
    )


def _near(ours: float, theirs: float) -> str:
    """Whether a count or share is that of the thesis to a tenth."""
    return "yes" if abs(ours - theirs) < 0.1 * theirs else "no"
