"""Images as people have them: other pixels, more pixels, 8 bit, stretched contrast, a scale bar burnt in.

python reports/published/contours-learned/variants.py specimens     # makes missing images, two minutes each
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy import stats
from scipy.ndimage import map_coordinates

from veristem.bench.files.simulation import save_simulation
from veristem.bench.scoring import score_curves
from veristem.datasets import Acquisition, formats
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method
from veristem.sim.simulate import simulate_recipe

HERE = Path(__file__).parent
METHODS = {"stereo-learned bands=false": "contours", "stereo-learned": "and bands"}
SCORE = "f_score_at_20nm_visible"
PIXELS_NM = (0.5, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0)
_SIDE_NM, _PIXEL_NM = 1024.0, 2.0
# seeds that no other study has; two beams, as many more would take four times as long
SPECIMENS = {
    "glide": {"recipe.seed": 7701, "specimen.network.density_per_m2": 2e13},
    "junctions": {"recipe.seed": 7702, "specimen.network.generator": "junctions"},
    "tangles": {
        "recipe.seed": 7703, "specimen.network.generator": "tangles", "specimen.network.density_per_m2": 5e13,
    },
}  # fmt: skip


def make(folder: Path) -> Iterator[tuple[str, LineTruth, Acquisition]]:
    """The specimens, with their images of 512 x 512 pixels of 2 nm."""
    side = round(_SIDE_NM / _PIXEL_NM)
    for name, values in SPECIMENS.items():
        place = folder / name
        if not (place / "truth.h5").is_file():
            same = {"specimen.field_nm": [_SIDE_NM, _SIDE_NM], "scan.shape": [side, side], "specimen.beams": 2}
            place.mkdir(parents=True, exist_ok=True)
            save_simulation(place, *simulate_recipe(load_recipe("cantor-stereo").with_values(same | values))[:2])
        yield name, formats.read(place / "truth.h5", LineTruth), formats.read(place / "acquisition.h5", Acquisition)


def scanned(truth: LineTruth, images: Acquisition, pixel_nm: float, seed: int = 0) -> Acquisition:
    """The same specimen scanned with other pixels at the same dose per area.

    A pixel of a scan is what the probe sees at one place: expected counts are interpolated there (cubic splines: off
    by 0.001 of the mean grey from a scan of 1 nm), and counted anew.
    """
    side = int(_SIDE_NM / pixel_nm)
    at = (np.arange(side) + 0.5) * pixel_nm / images.pixel_nm - 0.5
    places = np.meshgrid(at, at, indexing="ij")
    dose = (pixel_nm / images.pixel_nm) ** 2
    views = [np.maximum(map_coordinates(view.astype(float), places, mode="nearest"), 0) for view in truth.expected]
    counts = np.random.default_rng(seed).poisson(dose * np.array(views)).astype(np.float32)
    assert images.electrons_per_pixel is not None
    return replace(images, views=counts, pixel_nm=pixel_nm, electrons_per_pixel=dose * images.electrons_per_pixel)


def stretched(images: Acquisition, gamma: float = 1.0, cut: float = 0.5) -> Acquisition:
    """As 8 bit, with some per cent of the pixels cut off at both ends and a gamma, each view by itself."""
    low, high = np.percentile(images.views, [cut, 100 - cut], axis=(1, 2))[..., None, None]
    share = np.clip((images.views - low) / (high - low), 0, 1) ** gamma
    return replace(images, views=np.round(255 * share), electrons_per_pixel=None)


def with_bar(images: Acquisition, white: bool) -> Acquisition:
    """8 bit, with a scale bar of 200 nm and its text in the lower right corner, white or on a white field."""
    plain = stretched(images)
    views = plain.views.astype(np.uint8)
    side = views.shape[1]
    length, ink = round(200 / images.pixel_nm), 255 if white else 0
    for view in views:
        if not white:
            view[side - 60 :, side - length - 40 :] = 255
        view[side - 20 : side - 12, side - length - 20 : side - 20] = ink
        cv2.putText(view, "200 nm", (side - length - 15, side - 28), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2)
    return replace(plain, views=views.astype(np.float32))


VARIANTS: dict[str, Callable[[LineTruth, Acquisition], Acquisition]] = {
    "as simulated, 512² pixels of 2 nm": lambda truth, images: images,
    "the same, counted anew": lambda truth, images: scanned(truth, images, images.pixel_nm),
    **{
        f"{int(_SIDE_NM / pixel)}² pixels of {pixel:g} nm": lambda truth, images, p=pixel: scanned(truth, images, p)
        for pixel in PIXELS_NM
    },
    "8 bit, 0.5 % cut off": lambda truth, images: stretched(images),
    "8 bit, 2 % cut off": lambda truth, images: stretched(images, cut=2),
    "8 bit, gamma 0.5": lambda truth, images: stretched(images, 0.5),
    "8 bit, gamma 2": lambda truth, images: stretched(images, 2.0),
    "8 bit, white scale bar": lambda truth, images: with_bar(images, white=True),
    "8 bit, scale bar on a white field": lambda truth, images: with_bar(images, white=False),
}


def table(rows: pd.DataFrame) -> list[str]:
    """Means over specimens, and the paired difference from the untouched images with its 95 % interval (t)."""
    wide = rows.pivot(index="specimen", columns=["method", "variant"], values="f_20nm")
    lines = ["| images | " + " | ".join(f"F(20 nm) {name} | difference" for name in METHODS.values()) + " |"]
    lines.append("|" + " --- |" * (1 + 2 * len(METHODS)))
    plain = next(iter(VARIANTS))
    for variant in VARIANTS:
        texts = [variant]
        for method in METHODS.values():
            values = np.asarray(wide[method][variant])
            gain = values - np.asarray(wide[method][plain])
            half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            texts += [f"{values.mean():.2f}", "" if variant == plain else f"{gain.mean():+.2f} ± {half:.2f}"]
        lines.append("| " + " | ".join(texts) + " |")
    return lines


def main() -> None:
    """Images, variants.csv beside this file, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the images")
    rows = []
    for name, truth, images in make(parser.parse_args().folder):
        for variant, changed in VARIANTS.items():
            seen = changed(truth, images)
            for method, words in METHODS.items():
                score = score_curves(truth, run_method(method, seen))[SCORE]
                rows.append({"specimen": name, "variant": variant, "method": words, "f_20nm": score})
                print(rows[-1], flush=True)
    found = pd.DataFrame(rows)
    found.round(4).to_csv(HERE / "variants.csv", index=False)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
