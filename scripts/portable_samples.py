"""Whether a seed draws the same codes however they are computed: every instruction set, thread count and batch size.

    python scripts/portable_samples.py                     all of this machine
    python scripts/portable_samples.py --python PYTHON     in another environment too, for example one with torch 2.11

Each setting of `scripts/portability.py` draws from the bundled models that have a prior, in a process of its own, one
item at a time and sixteen at once, as the prior says and at another temperature and share. A digest of the codes is
compared with that of this process. The exit code is 1 when one differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys

import torch
from portability import settings

from vqc.models.files.zoo import list_models, load_model
from vqc.models.prior import CodePrior

GRIDS = {"image": (4, 4), "audio": (12,)}
ITEMS, ALONE, SEED = 16, 2, 20_261_129  # items in a batch, and by themselves
Digests = dict[str, list[str]]
WAYS: dict[str, dict[str, float]] = {"as it is": {}, "cooled": {"temperature": 0.85, "top_p": 0.9}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="another interpreter to try as well")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(drawn()))
        return 0
    reference, failures = digests(ITEMS, ITEMS), 0
    print(f"{len(reference)} ways to draw {ITEMS} items: {', '.join(sorted(reference))}", flush=True)
    for setting in settings(arguments.python):
        done = subprocess.run(
            [setting.python, __file__, "--work"], env=os.environ | setting.variables, stdout=subprocess.PIPE, text=True
        )
        if done.returncode == -signal.SIGILL:
            print(f"{'':24}{setting.described}   not on this processor")
            continue
        done.check_returncode()
        version, capability, *ways = json.loads(done.stdout.splitlines()[-1])
        pairs = [pair for way in ways for name in way for pair in zip(way[name], reference[name], strict=False)]
        wrong = sum(found != expected for found, expected in pairs)
        failures += wrong
        print(f"{version:14}{capability:10}{setting.described}{wrong:>3} of {len(pairs)} items differ", flush=True)
    return int(failures > 0)


def drawn() -> tuple[str, str, Digests, Digests]:
    """What this process draws, all items at once and some one at a time."""
    return torch.__version__, torch.backends.cpu.get_cpu_capability(), digests(ITEMS, ITEMS), digests(ALONE, 1)


def digests(items: int, batch: int) -> Digests:
    """A digest of the codes of each of so many items, for each model and way to draw."""
    found = {}
    for info in list_models():
        if info.prior is None:
            continue
        model = load_model(info.name, "cpu").model
        assert isinstance(model.prior, CodePrior), "its header says that it has one"
        for way, options in WAYS.items():
            found[f"{info.name} {way}"] = [
                hashlib.sha256(item.numpy().astype("<u2").tobytes()).hexdigest()
                for first in range(0, items, batch)
                for item in model.prior.sample(
                    batch, GRIDS[info.media], info.default_quality, seed=SEED, first=first, **options
                )
            ]
    return found


if __name__ == "__main__":
    sys.exit(main())
