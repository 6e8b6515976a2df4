"""The command line: the commands, and how one ends."""

from __future__ import annotations

import io
import signal
import sys
import traceback
from typing import Annotated

import typer

from veristem.bench.commands.app import app as window
from veristem.bench.commands.convert import convert
from veristem.bench.commands.demo import demo
from veristem.bench.commands.gate import gate
from veristem.bench.commands.listing import list_
from veristem.bench.commands.options import as_options
from veristem.bench.commands.plan import plan
from veristem.bench.commands.recipe import recipe
from veristem.bench.commands.reconstruct import reconstruct
from veristem.bench.commands.report import report
from veristem.bench.commands.score import score
from veristem.bench.commands.simulate import simulate
from veristem.bench.commands.study import study
from veristem.bench.commands.train import train
from veristem.bench.commands.view import view
from veristem.bench.commands.virtual import virtual
from veristem.datasets.errors import InputError

app = typer.Typer(
    help="How well does a 3D reconstruction from a few STEM views recover what is really there?",
    epilog="--debug, anywhere, shows the traceback of an error. "
    "Exit codes: 0 done, 1 a gate fell short, 2 bad input, 3 a fault of VeriSTEM.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _command in (demo, plan, recipe, simulate, virtual, reconstruct, score, study, gate, report, view, convert):
    app.command()(_command)
app.command("app")(window)
app.command("list")(list_)
app.add_typer(train, name="train")


@app.callback(invoke_without_command=True)
def _alone(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print it and end")] = False,
) -> None:
    """How well does a 3D reconstruction from a few STEM views recover what is really there?"""
    if version:
        import veristem

        typer.echo(f"veristem {veristem.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _notice_interrupts() -> list[int]:
    """A list that is no longer empty once Ctrl-C was pressed; it raises KeyboardInterrupt as ever."""
    seen: list[int] = []

    def interrupted(number, frame):
        seen.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
    return seen


def main() -> None:
    """Run the command line: 0 done, 1 a gate fell short, 2 bad input, told in one line on stderr, 3 a fault of ours."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a log that is not UTF-8 gets a ? for µ, and no traceback
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    command = typer.main.get_command(app)
    stopped = _notice_interrupts()
    try:
        code = command.main(arguments, prog_name="veristem", standalone_mode=False) or 0
        if code == 130:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if stopped:  # within an import Ctrl-C comes out as an error of any kind
            print("stopped; what was finished is kept", file=sys.stderr)
            sys.exit(130)
        usage = getattr(error, "format_message", None)  # typer brings its own copy of click: known by its methods
        is_ours = usage is None and not isinstance(error, InputError | OSError)
        if debug or is_ours:
            traceback.print_exc()
            sys.exit(3 if is_ours else 2)
        text = as_options(str(error))
        if usage is not None:
            context = getattr(error, "ctx", None)
            where = context.command_path if context else "veristem"
            text = f"{usage().rstrip('.')}; `{where} --help` shows what is allowed"
        print("error: " + " ".join(text.split()), file=sys.stderr)
        sys.exit(2)
