"""The commands put together, and the one door through which every error leaves.

Exit codes: 0 done, 1 something could not be done, 2 wrong usage, 130 interrupted, 129 hung up, 143 terminated.
"""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated

import typer

from vqc import garbage
from vqc._version import __version__
from vqc.cli.archive import archives
from vqc.cli.commands import App
from vqc.cli.compare import compare
from vqc.cli.compress import compress
from vqc.cli.console import sentence, warn
from vqc.cli.convert import convert
from vqc.cli.decompress import decompress
from vqc.cli.eval import evaluation
from vqc.cli.help import help_command
from vqc.cli.info import info
from vqc.cli.models import models
from vqc.cli.sample import sample
from vqc.cli.standard_streams import flushed_output, repair_standard_files
from vqc.cli.tokens import tokens
from vqc.cli.train import train
from vqc.cli.verify import verify
from vqc.errors import VQCError, VQCWarning, warnings_to
from vqc.processors import prepare

app = App(
    "Compress photos and speech with small neural networks, restore them, and train such networks.",
    name="vqc",
    epilog="Example: vqc compress photo.png",
    no_args_is_help=True,
)


def show_version(wanted: bool) -> None:
    """Callback of --version."""
    if wanted:
        print(f"vqc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Typer runs this before every command; it exists for the options that belong to none of them."""


app.command(epilog="Example: vqc compress photo.png -q 6", no_args_is_help=True)(compress)
app.command(epilog="Example: vqc decompress photo.vqc -o photo.jpg", no_args_is_help=True)(decompress)
app.command(epilog="Example: vqc convert talk.wav --to 19 -o other.wav", no_args_is_help=True)(convert)
app.command(epilog="Example: vqc info photo.vqc", no_args_is_help=True)(info)
app.command(epilog="Example: vqc verify backup/*.vqc", no_args_is_help=True)(verify)
app.command(name="help", epilog="Example: vqc help formats")(help_command)
app.command(epilog="Example: vqc tokens photo.vqc --json", no_args_is_help=True)(tokens)
app.add_typer(archives, name="archive")
app.command(epilog="Example: vqc sample cifar10 -n 16 -o grid.png")(sample)
app.add_typer(models, name="models", epilog="Example: vqc models --json")
app.add_typer(train, name="train")
app.add_typer(evaluation, name="eval")
app.command(epilog="Example: vqc compare photo.png -o page.html", no_args_is_help=True)(compare)


def terminated(signal_number: int, _frame: object) -> None:
    """Leave like Ctrl-C does, so that half-written files are removed."""
    raise SystemExit(128 + signal_number)


def main() -> None:
    """Entry point of the console script: runs the command line and ends the process."""
    repair_standard_files()
    prepare()
    garbage.postpone()
    signal.signal(signal.SIGTERM, terminated)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup does
        signal.signal(signal.SIGHUP, terminated)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with flushed_output(), warnings_to(lambda warning: warn(sentence(warning)), VQCWarning):
            app(prog_name="vqc")
    except VQCError as error:
        warn(sentence(error))
        sys.exit(error.exit_code)
    except (OSError, MemoryError) as error:
        warn(sentence(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
