"""The command line. Heavy libraries are imported inside the commands that use them."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from veristem.bench.progress import progress
from veristem.datasets.errors import InputError

app = typer.Typer(
    help="How well does a 3D reconstruction from a few STEM views recover what is really there?",
    epilog="--debug, anywhere, shows the traceback of an error. Exit codes: 0 done, 2 bad input.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option("-o", "--out", help="folder to write; made when it does not exist")]
Sets = Annotated[
    Optional[list[str]],  # noqa: UP045  (typer reads the annotation itself)
    typer.Option("--set", help="KEY=VALUE, a dotted path into the recipe, e.g. scan.dwell_us=100; repeatable"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the page and its files")] = Path("demo"),
    network: Annotated[Optional[Path], typer.Option(help="a network of your own: .data, .ca or .vtp")] = None,  # noqa: UP045
    material: Annotated[Optional[str], typer.Option(help="its material; guessed if not given")] = None,  # noqa: UP045
    particles: Annotated[Optional[Path], typer.Option(help="particles of your own: .csv or .xyz")] = None,  # noqa: UP045
    sets: Sets = None,
) -> None:
    """Truth, images, reconstruction, score: ends in a page.

    The whole chain on dislocation lines and on gold particles in ice, and a small study of imaging conditions around
    each. A network or material of your own, or --set, shows lines alone; --particles shows particles alone.

    Example: veristem demo --network my_network.data --material Ta --out my-demo
    """
    from veristem.bench.demo import run_demo

    page = run_demo(out, network, material, particles, _values(sets), _command(), say=typer.echo, progress=progress)
    typer.echo(f"open {page}")


@app.command()
def recipe(
    name: Annotated[Optional[str], typer.Argument(help="a named recipe or study")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option("-o", "--out", help="file to write instead of the terminal")] = None,  # noqa: UP045
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of recipes and studies")] = False,
) -> None:
    """Print a named recipe or study, or the schema, to start from."""
    from veristem.datasets.recipe import Recipe, Study, recipe_names, recipe_text

    if schema:
        text = json.dumps({"recipe": Recipe.model_json_schema(), "study": Study.model_json_schema()}, indent=2) + "\n"
    elif name is None:
        raise InputError("recipe: give a name or --schema; `veristem list recipes` shows the names")
    else:
        text = recipe_text(name, "study" if name in recipe_names("study") else "recipe")
    if out is None:
        typer.echo(text, nl=False)
    else:
        from veristem.datasets.formats.atomic import atomic_path

        with atomic_path(out) as partial:
            partial.write_text(text, encoding="utf-8")


@app.command()
def simulate(
    recipe: Annotated[str, typer.Argument(help="recipe file or name")],
    out: Out,
    sets: Sets = None,
) -> None:
    """Make a specimen and image it.

    Writes acquisition.h5 for a method, and truth.h5 and truth.vtp (truth.csv of particles) apart from it, and says
    where the views look and how far the widest pair is apart. With a pixelated detector it writes the 4D scan,
    scan.zspy, and vacuum.zspy instead of acquisition.h5, which `veristem virtual` makes of them; stopped, it goes on
    where it was.

    Example: veristem simulate cantor-stereo -o run --set recipe.seed=3
    """
    from veristem.bench.cell import simulate as run
    from veristem.bench.cell import simulate_4d
    from veristem.bench.files import save_simulation, save_truth
    from veristem.bench.store import make_folder
    from veristem.datasets.recipe import load_recipe
    from veristem.reports.words import views_text

    loaded = load_recipe(recipe).with_values(_values(sets))
    make_folder(out)
    if loaded.microscope.detector.kind == "pixelated":
        truth, specimen, paths = simulate_4d(loaded, out, lambda rows, total: progress(rows, total, "rows"))
        for note in specimen.notes:
            typer.echo(note, err=True)
        for path in (*paths, *save_truth(out, truth)):
            typer.echo(path)
        return
    truth, acquisition, specimen = run(
        loaded, progress=lambda tilts, total: progress(tilts, total, "tilts") if total > 1 else tilts
    )
    for note in (*specimen.notes, views_text(acquisition.directions_rad)):
        typer.echo(note, err=True)
    for path in save_simulation(out, truth, acquisition):
        typer.echo(path)


@app.command()
def virtual(
    scan: Annotated[Path, typer.Argument(help="a 4D scan: .zspy, .hspy, .mib, .blo, .emd, .dm4, .h5, ...")],
    out: Annotated[Path, typer.Option("-o", "--out", help="acquisition to write, .h5")],
    vacuum: Annotated[Optional[Path], typer.Option(help="scan of the same detector without a specimen")] = None,  # noqa: UP045
    pair_angle_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="between the outermost discs; what the file says, or 1.2 convergence semi-angles"),
    ] = None,
    radius_mrad: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="of each disc; what the file says, or a fifth of the convergence semi-angle"),
    ] = None,
    views: Annotated[int, typer.Option(min=1, max=256, help="discs at equal distances along the Kikuchi line")] = 2,
    offset_mrad: Annotated[float, typer.Option(help="of the discs from the axis, across the Kikuchi line")] = 0.0,
    azimuth_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="direction of the pair on the detector, from x towards y, instead of the Kikuchi line's"),
    ] = None,
    rotation_deg: Annotated[float, typer.Option(help="azimuth of the detector's x axis in the image")] = 0.0,
    convergence_mrad: Annotated[Optional[float], typer.Option(help="convergence semi-angle")] = None,  # noqa: UP045
    mrad_per_pixel: Annotated[Optional[float], typer.Option(help="instead of what the rim gives")] = None,  # noqa: UP045
    center_px: Annotated[
        Optional[tuple[float, float]],  # noqa: UP045
        typer.Option(help="X Y of the pixel that the axis meets, instead of the middle of the rim"),
    ] = None,
    pixel_nm: Annotated[Optional[float], typer.Option(help="scan step")] = None,  # noqa: UP045
    energy_kev: Annotated[Optional[float], typer.Option("--energy-keV", help="beam energy")] = None,  # noqa: UP045
    thickness_nm: Annotated[Optional[float], typer.Option(help="of the foil")] = None,  # noqa: UP045
    scan_shape: Annotated[
        Optional[tuple[int, int]],  # noqa: UP045
        typer.Option(help="ROWS COLUMNS of the scan, for frames in a row"),
    ] = None,
) -> None:
    """Make views from a 4D scan, simulated or real.

    The centre and the angle of a pixel come from the rim of the bright-field disc, in the vacuum scan if there is one,
    the direction of the views from the Kikuchi line in the patterns. The scan is read once, in parts.

    Example: veristem virtual run/scan.zspy --vacuum run/vacuum.zspy --pair-angle-deg 5 --radius-mrad 12 -o run/views.h5
    """
    from veristem.bench.views import write_views

    _check_suffix(out, ".h5")
    lines = write_views(
        scan, vacuum, out, lambda rows, total: progress(rows, total, "rows"),
        pair_angle_deg=pair_angle_deg, radius_mrad=radius_mrad, views=views, offset_mrad=offset_mrad,
        azimuth_deg=azimuth_deg, rotation_deg=rotation_deg, convergence_mrad=convergence_mrad,
        mrad_per_pixel=mrad_per_pixel, center_px=center_px, pixel_nm=pixel_nm, energy_keV=energy_kev,
        thickness_nm=thickness_nm, scan_shape=scan_shape,
    )  # fmt: skip
    for line in lines:
        typer.echo(line, err=True)
    typer.echo(out)


@app.command()
def reconstruct(
    acquisition: Annotated[Path, typer.Argument(help="acquisition.h5")],
    out: Annotated[Path, typer.Option("-o", "--out", help="file to write: .vtp for curves, .csv for points")],
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="registered name, module:function, or the path of an executable; our own if not given"),
    ] = None,
) -> None:
    """Reconstruct curves or points in 3D from the images alone.

    Example: veristem reconstruct run/acquisition.h5 --method my_package:reconstruct -o run/mine.vtp
    """
    from veristem.datasets.formats import write_points
    from veristem.datasets.formats.acquisition_h5 import read_acquisition
    from veristem.datasets.formats.vtp import write_vtp
    from veristem.datasets.reconstruction import PointSet
    from veristem.recon.methods import DEFAULT, load_method, run_method

    loaded = read_acquisition(acquisition)
    _check_suffix(out, ".csv" if loaded.kind == "particles" else ".vtp")
    method = DEFAULT[loaded.kind] if method is None else method
    load_method(method)
    try:
        found = run_method(method, loaded)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if "--debug" in sys.argv:
            raise
        text = (str(error).splitlines() or ["no message"])[0]
        raise InputError(f"method {method}: {type(error).__name__}: {text}; --debug shows where") from None
    if isinstance(found, PointSet):
        write_points(out, found)
        typer.echo(f"{len(found.points_nm)} particles: {out}")
    else:
        write_vtp(out, found)
        typer.echo(f"{len(found.curves_nm)} curves, {found.length_nm:.0f} nm: {out}")


@app.command()
def score(
    truth: Annotated[
        Path, typer.Argument(help="truth.h5, a network or curves as .vtp, .data or .ca, or particles as .csv or .xyz")
    ],
    reconstruction: Annotated[Path, typer.Argument(help="curves, .vtp, or points, .csv")],
    acquisition: Annotated[Path | None, typer.Option(help="for the epipolar direction, if the truth is no .h5")] = None,
    tolerance_nm: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="a point within this distance is matched; 10 nm, or a particle's radius, if not given"),
    ] = None,
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data truth")] = None,  # noqa: UP045
    as_json: Json = False,
) -> None:
    """Compare a reconstruction with the truth."""
    from veristem.bench.pages import read_truth_file
    from veristem.bench.scoring import score as run
    from veristem.datasets.formats import read_curves, read_points
    from veristem.datasets.formats.acquisition_h5 import read_acquisition

    if tolerance_nm is not None and not 0 < tolerance_nm < float("inf"):
        raise InputError(f"--tolerance-nm: {tolerance_nm} found, a positive length allowed")
    loaded = read_truth_file(truth, burgers_magnitude_nm)
    directions = read_acquisition(acquisition).directions_rad if acquisition else None
    found = read_points(reconstruction) if reconstruction.suffix.lower() == ".csv" else read_curves(reconstruction)
    scores = run(loaded, found, tolerance_nm=tolerance_nm, directions_rad=directions)
    if as_json:
        typer.echo(json.dumps(scores))
        return
    for key, value in scores.items():
        typer.echo(f"{key:32s} {'–' if value is None else f'{value:.4g}'}")


@app.command()
def study(
    study: Annotated[str, typer.Argument(help="study file or name; `veristem list studies` shows the names")],
    out: Out,
    method: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="instead of the study's own; repeatable; KEY=VALUE parameters may follow the name"),
    ] = None,
    sets: Sets = None,
    seeds: Annotated[Optional[int], typer.Option(min=1, help="specimens, instead of the study's number")] = None,  # noqa: UP045
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 1,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="address of a Dask scheduler instead, tcp://HOST:PORT; its workers must see the same files"),
    ] = None,
    method_version: Annotated[
        str,
        typer.Option(
            help="state of methods from outside: another text runs their cells again, where a change cannot be "
            "seen in their module, package or program itself"
        ),
    ] = "",
) -> None:
    """Run all conditions, seeds and methods; resumes.

    What is finished is kept and never run again, however the study was stopped, unless what it depends on has changed:
    recipe, sources, parameters, weights. A failure of a method is a result; a failure of the machine (a killed worker,
    a full memory) is tried again by the next run. `veristem report` makes a page of the folder.

    Example: veristem study conditions -o results --workers 2 --method stereo-classical --method my_package:reconstruct
    """
    from veristem.bench.examples import save_examples
    from veristem.bench.study import run_study
    from veristem.datasets.recipe import load_recipe, load_study
    from veristem.reports.studies import summary_lines

    changes = {"methods": list(method)} if method else {}
    changes |= {"seeds": seeds} if seeds else {}
    loaded = load_study(study).changed(changes)
    values = _values(sets)
    if twice := [path for path in values if path in loaded.axes]:
        raise InputError(f"--set {twice[0]}: an axis of study {loaded.name} found, a key that is not varied allowed")
    if scheduler and workers > 1:
        raise InputError("--workers and --scheduler: both found, one allowed; a cluster brings its own workers")
    base = load_recipe(loaded.recipe).with_values(values)
    table = run_study(
        loaded, base, out, progress,
        workers=workers, scheduler=scheduler, method_version=method_version, command=_command(),
    )  # fmt: skip
    for line in summary_lines(table):
        typer.echo(line)
    for note in save_examples(table, base, out):
        typer.echo(note, err=True)
    failed = int(table["error"].notna().sum())
    typer.echo(f"{len(table)} rows, {failed} failed: {out / 'results.parquet'}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="folder of a simulation, a demo or a study")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="page to write; DIR/page.html if not given")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="png, svg and csv, with commas: also into figures/ beside the page")
    ] = "",
) -> None:
    """Write the page of a folder, one file to open, print or send.

    A study: findings, how methods compare, curves, maps, the best and the worst run, failures. A simulation or a demo:
    its specimen, images and reconstruction. Without a truth: how far the reconstruction lies from the images' contours.

    --format png,svg writes every figure as a file (png with 300 dpi), csv all rows (results.csv) and the means of
    every condition and method (summary.csv).

    Example: veristem report results -o page.html --format svg,csv
    """
    from veristem.bench.pages import write_folder_page
    from veristem.reports.export import read_formats

    known = read_formats(formats)
    typer.echo(write_folder_page(folder, out or folder / "page.html", command=_command(), formats=known))


@app.command()
def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="networks (.vtp, .data, .ca), truths, images (.h5), curves (.vtp), particles or points (.csv, .xyz)"
        ),
    ],
    png: Annotated[Optional[Path], typer.Option(help="write a picture instead of a window")] = None,  # noqa: UP045
    html: Annotated[Optional[Path], typer.Option(help="write a page to turn in a browser, no window")] = None,  # noqa: UP045
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data file")] = None,  # noqa: UP045
) -> None:
    """Show files in 3D, together in one box with axes in nm.

    One file is coloured by what it holds: a truth.h5 by which lines are visible, curves and particles by depth. Several
    get a colour each, with a legend. The beam runs down, along z.

    Example: veristem view run/truth.vtp run/mine.vtp --html both.html
    """
    from veristem.bench.pages import read_any
    from veristem.reports import view as show

    _check_suffix(png, ".png")
    _check_suffix(html, ".html")
    same = len({f.name for f in files}) < len(files)
    names = [str(f) if same else f.name for f in files]
    objects = [read_any(f, burgers_magnitude_nm) for f in files]
    for note in show(objects, names=names, png=png, html=html):
        typer.echo(note, err=True)


@app.command()
def convert(
    files: Annotated[list[Path], typer.Argument(help="IN… OUT")],
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data file")] = None,  # noqa: UP045
    pair_angle_deg: Annotated[Optional[float], typer.Option(help="of a real stereo pair: LEFT RIGHT OUT.h5")] = None,  # noqa: UP045
    pixel_nm: Annotated[Optional[float], typer.Option(help="of a real stereo pair")] = None,  # noqa: UP045
    material: Annotated[Optional[str], typer.Option(help="its |b| is the unit of a .data file without a .ctrl")] = None,  # noqa: UP045
) -> None:
    """Convert between file formats.

    A network: my.data my.vtp. Particles: my.csv my.xyz. An acquisition: acquisition.h5 acquisition.hspy;
    of a tilt series also series.mrc, with series.rawtlt beside it.
    A real stereo pair: left.tif right.tif pair.h5 --pair-angle-deg 8 --pixel-nm 1.5
    """
    from veristem.bench.convert import convert_files

    if len(files) < 2:
        raise InputError("convert: one file found, IN… OUT allowed")
    note = convert_files(files[:-1], files[-1], burgers_magnitude_nm, pair_angle_deg, pixel_nm, material)
    typer.echo(f"{files[-1]}" + (f": {note}" if note else ""))


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="recipes, studies, methods, metrics, materials, detectors or specimens")],
) -> None:
    """List what there is by name."""
    from veristem.bench.listing import listing

    for line in listing(kind):
        typer.echo(line)


def _check_suffix(path: Path | None, suffix: str) -> None:
    if path is not None and path.suffix.lower() != suffix:
        raise InputError(f"{path}: suffix {path.suffix!r} found, {suffix} allowed")


def _values(sets: list[str] | None) -> dict[str, Any]:
    from veristem.datasets.recipe import key_value

    return dict(key_value(text) for text in sets or [])


def _command() -> str:
    return shlex.join(["veristem", *sys.argv[1:]])


def main() -> None:
    """Run the command line: 0 done, 2 bad input, told in one line on stderr."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="veristem", standalone_mode=False) or 0
        if code == 130:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # typer brings its own copy of click: known by its methods
        if debug or (usage is None and not isinstance(error, InputError | OSError)):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error)
            sys.exit(2)
        text = str(error)
        if usage is not None:
            context = getattr(error, "ctx", None)
            where = context.command_path if context else "veristem"
            text = f"{usage().rstrip('.')}; `{where} --help` shows what is allowed"
        print("error: " + " ".join(text.split()), file=sys.stderr)
        sys.exit(2)
