"""Garbage is collected as before once a command has loaded what it needs; the library alone changes nothing."""

import subprocess
import sys

import pytest

from vqc import garbage
from vqc.devices import find_device

PROGRAM = """
import gc, weakref
from vqc import garbage
class Node: pass
def cycle(word):
    node = Node()
    node.me = node
    weakref.finalize(node, print, word).atexit = False
{before}
cycle("collected")
gc.get_threshold()[0] > 100_000 and print("waits")
{after}
"""


def said(before: str, after: str) -> list[str]:
    program = PROGRAM.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_command_collects_once_a_device_is_asked_for() -> None:
    before = "garbage.postpone()"
    asked = 'garbage.resume(); cycle("later"); gc.collect(); gc.get_threshold()[0] < 100_000 and print("on")'
    assert said(before, asked) == ["waits", "later", "on"]
    assert said(before, "") == ["waits"]  # nor at the end of the process


def test_the_library_leaves_the_collector_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(garbage, "_before", None)  # a command may have run in this process
    for name in ("set_threshold", "disable", "freeze"):
        monkeypatch.setattr(f"gc.{name}", lambda *_, name=name: called.append(name))
    find_device("cpu")
    garbage.resume()
    assert called == []


def test_asking_for_a_device_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(garbage, "_before", (700, 10, 10))
    for name in ("set_threshold", "freeze"):
        monkeypatch.setattr(f"gc.{name}", lambda *_, name=name: called.append(name))
    find_device("cpu")
    find_device("cpu")
    assert called == ["freeze", "set_threshold"]
