"""The house as it is meant to be: imports run one way, files and functions stay small, the core stays light.

Every import statement in `vqc` is looked at, those inside functions too.
"""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import typer
from PIL import Image

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vqc"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

# What each room may import of vqc: rooms below it. `vqc` itself stands for the public names in vqc/__init__.py.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "_version": set(),
    "_distribution": set(),
    "partials": set(),
    "processors": {"errors"},
    "garbage": set(),
    "scheduling": {"garbage", "processors", "errors", "_version", "_distribution"},
    "user_folders": set(),
    "option_fields": set(),
    "devices": {"garbage", "errors"},
    "atomic": {"partials", "errors"},
    "format": {"errors"},
    "nn": set(),
    "entropy": {"errors"},
    "metrics": {"nn", "errors", "_distribution"},
    "data": {"format", "errors", "_distribution", "processors", "user_folders"},
    "storage": {"data", "atomic", "partials", "errors"},
    "drawing": {"atomic", "errors", "_distribution"},
    "models": {"user_folders", "devices", "nn", "entropy", "atomic", "errors", "_version"},
    "codec": {
        "format",
        "models",
        "entropy",
        "data",
        "drawing",
        "devices",
        "metrics",
        "processors",
        "atomic",
        "errors",
        "_version",
    },
    "archive": {"format", "codec", "data", "models", "atomic", "scheduling", "storage", "errors", "_distribution"},
    "training": {
        "option_fields",
        "format",
        "devices",
        "models",
        "nn",
        "entropy",
        "data",
        "metrics",
        "drawing",
        "atomic",
        "user_folders",
        "errors",
        "_version",
        "_distribution",
    },
    "sampling": {"option_fields", "format", "codec", "models", "data", "drawing", "atomic", "errors"},
    "evaluation": {
        "format",
        "nn",
        "codec",
        "sampling",
        "entropy",
        "data",
        "metrics",
        "models",
        "drawing",
        "atomic",
        "scheduling",
        "storage",
        "processors",
        "user_folders",
        "errors",
        "_version",
        "_distribution",
    },
    "cli": {
        "garbage",
        "option_fields",
        "format",
        "devices",
        "errors",
        "_version",
        "atomic",
        "partials",
        "scheduling",
        "storage",
        "processors",
        "user_folders",
        "nn",
        "entropy",
        "metrics",
        "data",
        "drawing",
        "models",
        "codec",
        "archive",
        "sampling",
        "training",
        "evaluation",
    },
    "torch": {"archive", "codec", "errors"},
    "pillow": {"data", "codec", "format", "errors"},
    "__init__": {
        "archive",
        "codec",
        "sampling",
        "models",
        "training",
        "evaluation",
        "processors",
        "errors",
        "_version",
    },
    "__main__": {"cli"},
}

# Third-party packages of each room; what is not listed takes nothing but the standard library.
OUTSIDE: dict[str, set[str]] = {
    "user_folders": {"platformdirs"},
    "devices": {"torch"},
    "format": {"numpy"},
    "nn": {"torch", "numpy"},
    "entropy": {"numpy", "constriction"},
    # Extras `eval` and `dnsmos`, imported inside functions.
    "metrics": {"torch", "numpy", "soxr", "pesq", "pystoi", "pytorch_msssim", "speechmos"},
    # Extras `av` and `heif`, imported inside functions.
    "data": {"torch", "numpy", "PIL", "soundfile", "soxr", "av", "pillow_heif"},
    "models": {"torch", "numpy", "safetensors"},
    "codec": {"torch", "numpy", "PIL"},
    # pyarrow is of the extra `parquet`, imported inside functions.
    "archive": {"torch", "numpy", "pyarrow"},
    # Of the extra of that name, imported inside functions.
    "scheduling": {"ray"},
    "storage": {"fsspec"},
    "torch": {"torch", "numpy"},
    # matplotlib is of the extra `eval`, imported inside functions, and of no other room.
    "drawing": {"torch", "numpy", "PIL", "matplotlib"},
    # pesq and pystoi score speech in validation: extra `eval`, imported inside functions.
    "sampling": {"torch", "numpy"},
    "training": {"torch", "numpy", "safetensors", "pesq", "pystoi"},
    "evaluation": {
        "torch",
        "numpy",
        "PIL",
        "soundfile",
        "soxr",
        "pesq",
        "pystoi",
        "pytorch_msssim",
        "pocketsphinx",
        "resemblyzer",
    },
    "pillow": {"PIL"},
    "cli": {"typer", "rich"},
}
WITH_EXTRAS = {"archive", "scheduling", "data", "metrics", "drawing", "training", "evaluation"}


def room_of(path: Path) -> str:
    """`vqc/nn/blocks.py` is in room `nn`, `vqc/errors.py` in room `errors`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    """Every module that is imported, by its absolute name, and the line. Typing-only imports count as well."""
    package = ("vqc", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parents, *([node.module] if node.module else ())))
            for alias in node.names if base == "vqc" else ():
                yield f"vqc.{alias.name}", node.lineno
            if base != "vqc":
                yield base, node.lineno


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _trees() -> Iterator[None]:
    """They are many objects, and looking for garbage among them takes longer than all else here."""
    gc.disable()
    yield
    parse.cache_clear()
    gc.enable()


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def misplaced(path: Path) -> Iterator[str]:
    room = room_of(path)
    allowed = ROOMS[room] | {room}
    for name, line in imports(parse(path), path):
        parts = name.split(".")
        if parts[0] == "vqc" and parts[1] not in allowed:
            yield f"{named(path)}:{line}: {room} may not import {name}"
        if parts[0] != "vqc" and parts[0] not in sys.stdlib_module_names | OUTSIDE.get(room, set()):
            yield f"{named(path)}:{line}: {room} may not use {name}"


def test_imports_run_one_way() -> None:
    assert not [fault for path in MODULES for fault in misplaced(path)]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Not for type checkers either: whoever reads one would have to read all of them."""
    modules = {module_of(path): path for path in MODULES}
    needs = {}
    for module, path in modules.items():
        named = {name for name, _ in imports(parse(path), path)}
        for node in ast.walk(parse(path)):  # modules that are taken from a package
            if isinstance(node, ast.ImportFrom) and not node.level:
                named |= {f"{node.module}.{alias.name}" for alias in node.names}
        needs[module] = {name for name in named if name in modules and name not in (module, "vqc")}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def oversized(path: Path) -> Iterator[str]:
    if (lines := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES:
        yield f"{named(path)} has {lines} lines; look for the second idea"
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                yield f"{named(path)}: {node.name} has {length} lines"


def test_files_and_functions_are_short() -> None:
    assert not [fault for path in MODULES for fault in oversized(path)]


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Every function and its docstring; that of a class is the one of its `__init__`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.FunctionDef) and child.name == "__init__":
                    yield child, ast.get_docstring(node) or ""


def test_docstrings_name_the_arguments_that_there_are() -> None:
    """Each by itself: the reference (scripts/docs) is built from them, and refuses others."""
    wrong = []
    for path in (path for path in MODULES if "Args:" in path.read_text(encoding="utf-8")):
        for node, docstring in functions(parse(path)):
            section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", docstring, re.MULTILINE)
            named = re.findall(r"^    (\S[^:]*): ", section[1] if section else "", re.MULTILINE)
            there = {child.arg for child in ast.walk(node.args) if isinstance(child, ast.arg)}
            wrong += [f"{path.name}:{node.lineno}: {name}" for name in named if name.lstrip("*") not in there]
    assert not wrong


def test_everything_imported_is_declared() -> None:
    """A package that happens to be installed with the development extras is no dependency of the core."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    names_of_extras = ("eval", "dnsmos", "phonemes", "judges", "parquet", "av", "heif", "ray")
    measuring = [line for extra in names_of_extras for line in extras.get(extra, ())]
    with_scores = declared | {re.split(r"[<>=\[]", line)[0] for line in measuring}
    distribution = {"PIL": "pillow", "pytorch_msssim": "pytorch-msssim", "pillow_heif": "pillow-heif"}
    for room, packages in OUTSIDE.items():
        names = {distribution.get(package, package) for package in packages}
        assert names <= (with_scores if room in WITH_EXTRAS else declared), room


def test_extras_are_imported_only_inside_functions() -> None:
    """Without them everything else works."""
    core = set().union(*(packages for room, packages in OUTSIDE.items() if room not in WITH_EXTRAS))
    core |= {"torch", "numpy", "PIL", "soundfile", "soxr", "safetensors", "vqc", *sys.stdlib_module_names}
    for path in MODULES:
        for node in parse(path).body:
            for name, line in imports(node, path) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                assert name.split(".")[0] in core, f"{path.relative_to(ROOT)}:{line}: {name} at the top of a module"


def test_commands_import_what_is_heavy_only_inside_functions() -> None:
    light = {
        "vqc.errors",
        "vqc.garbage",
        "vqc.processors",
        "vqc.scheduling.workers",
        "vqc.storage.urls",
        "vqc.option_fields",
        "vqc._version",
        "vqc.cli",
        "vqc.data.formats",
        "vqc.models.kinds",
        "vqc.training.options",
        "vqc.sampling.options",
        "typer",
    }
    for path in sorted((PACKAGE / "cli").glob("*.py")):
        for node in parse(path).body:
            for name, line in imports(node, path) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                cheap = name.split(".")[0] in sys.stdlib_module_names
                assert cheap or any(f"{name}.".startswith(f"{one}.") for one in light), f"{path.name}:{line}: {name}"


def modules_after(*statements: str) -> list[set[str]]:
    """The top-level modules that are loaded once a fresh interpreter has run each of the statements."""
    say = "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    program = "\n".join(["import sys", *(f"{statement}\n{say}" for statement in statements)])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return [set(line.split()) for line in run.stdout.splitlines()]


def test_start_up_is_without_torch() -> None:
    """That of the command, and reading what models and files are."""
    (loaded,) = modules_after(
        "import vqc, vqc.cli.app, vqc.format.container, vqc.models.files.zoo; vqc.models.files.zoo.list_models()"
    )
    assert not loaded & {"torch", "constriction", "scipy", "matplotlib"}


def test_little_is_imported_besides_torch(tmp_path: Path) -> None:
    """Neither torch's compiler nor pydantic: each would take longer than all else before the first pixel is looked at.

    And nothing of the core needs another package of torch's family.
    """
    Image.new("RGB", (24, 16)).save(tmp_path / "small.png")
    command = ["vqc", "compress", str(tmp_path / "small.png"), "--quiet"]
    everything = "; ".join(
        f"import {module_of(path)}" for path in MODULES if room_of(path) not in {"evaluation", "__main__"}
    )
    compressing, all_of_it = modules_after(
        f"import contextlib; sys.argv = {command}\n"
        "from vqc.cli.app import main\n"
        "with contextlib.suppress(SystemExit): main()",
        everything,
    )
    assert (tmp_path / "small.vqc").exists()
    assert not compressing & {"sympy", "scipy", "matplotlib", *["pydantic"] * typer.__version__.startswith("0.29.")}
    assert "torch" in all_of_it
    assert not all_of_it & {"torchvision", "torchaudio"}
