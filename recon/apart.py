"""Methods from outside in a process of their own: what they change, crash or hang there, nothing else notices.

One process a method, kept from one acquisition to the next and started again after it has ended. Requests and answers
pass through its pipes; what comes back is taken for numbers alone, whatever was sent.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import fields
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.kinds import KINDS, VOLUME
from veristem.datasets.text import printable, ran_out, told
from veristem.recon.messages import packed, unpacked
from veristem.recon.methods import is_program, run_method, split_method, target

_MOST_BYTES = 2**33  # of an answer
_children: dict[str, _Child] = {}


class MethodError(Exception):
    """What a method from outside did instead of returning a result.

    Parameters
    ----------
    text : str
        ``Type: message``, or how its process ended.
    trace : str
        Its own traceback; empty without one.
    ran_out : bool
        Whether memory, disk or handles of the machine ran out.
    killed : bool
        Whether its process was killed.
    """

    def __init__(self, text: str, trace: str = "", ran_out: bool = False, killed: bool = False):
        super().__init__(text)
        self.trace, self.ran_out, self.killed = trace, ran_out or killed, killed


def reconstruct(method: str, acquisition: Acquisition, timeout_s: float | None = None, **stages) -> tuple[Any, float]:
    """The result of a method and the seconds it took, with a method from outside kept apart.

    Parameters
    ----------
    method : str
        Name and parameters, as `run_method` takes them.
    acquisition : Acquisition
        A method gets a copy.
    timeout_s : float, optional
        Time after which it is ended; any method then runs apart.
    **stages
        Handed in from outside.

    Raises
    ------
    InputError
        On what `run_method` finds.
    MethodError
        When a method from outside fails, ends its process, or takes too long.
    """
    found = target(split_method(method)[0])
    if timeout_s is None and (is_program(found) or found.startswith("veristem.")):
        given = deepcopy(acquisition)  # a method may write into what it gets
        start = time.perf_counter()
        return run_method(method, given, **stages), time.perf_counter() - start
    if found not in _children:
        _children[found] = _Child()
    request = method, found, acquisition, stages, timeout_s
    try:
        return _children[found].ask(*request)
    except MethodError as error:
        if not error.killed:
            raise
        return _children[found].ask(*request)  # perhaps not its own fault: killed from outside, or for its memory


class _Child:
    """A process that reconstructs; started when it is first asked."""

    def __init__(self):
        self.process: subprocess.Popen | None = None

    def ask(self, method: str, found: str, acquisition: Acquisition, stages, timeout_s: float | None):
        """As `reconstruct`."""
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-c", "from veristem.recon.apart import serve; serve()"]
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)
        process, answers = self.process, SimpleQueue()
        assert process.stdin is not None
        assert process.stdout is not None
        request = packed((os.getcwd(), sys.path, method, found, acquisition, stages))
        Thread(target=_exchange, args=(process.stdin, process.stdout, request, answers.put), daemon=True).start()
        try:
            answer = _soon(answers, timeout_s)
        except BaseException:
            self.end()
            raise
        if answer == "late":
            self.end()
            raise MethodError(f"no result after {timeout_s:g} s, the time limit")
        if answer is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            code = process.returncode
            self.end()
            how = "closed its pipes" if code is None else f"ended with {code}"
            why = "; its memory may have run out" if code == -9 else ""
            raise MethodError(f"its process {how} before it returned anything{why}", killed=code == -9)
        kind, *rest = answer
        if kind == "refused":
            raise InputError(rest[0])
        if kind == "failed":
            raise MethodError(*rest)
        whole, values, seconds = rest
        kind = VOLUME if whole else KINDS[acquisition.kind]
        return kind.result(**values), float(seconds)

    def end(self) -> None:
        """End the process, and all that it has started."""
        if self.process is None:
            return
        with suppress(OSError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()
        self.process.wait()
        self.process = None


@atexit.register
def end_all() -> None:
    """End all processes of methods."""
    for child in _children.values():
        child.end()
    _children.clear()


def _soon(answers: SimpleQueue, timeout_s: float | None) -> Any:
    """The answer, or "late"."""
    try:
        return answers.get(timeout=timeout_s)
    except Empty:
        return "late"


def _exchange(requests: BinaryIO, answers: BinaryIO, request: bytes, put: Callable[[Any], None]) -> None:
    """Send a request and put its answer; None when the process has ended, or sends what is no answer."""
    try:
        _send(requests, request)
        data = _receive(answers)
        put(None if data is None else unpacked(data))
    except Exception:  # whatever a method has sent in place of an answer
        put(None)


def _send(stream: BinaryIO, data: bytes) -> None:
    stream.write(len(data).to_bytes(8, "little") + data)
    stream.flush()


def _receive(stream: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    if len(head) < 8 or size > _MOST_BYTES:
        return None
    data = bytearray()
    while len(data) < size:  # a piece at a time: a size is but a promise
        piece = stream.read(min(size - len(data), 1 << 22))
        if not piece:
            return None
        data += piece
    return bytes(data)


def serve() -> None:
    """Answer requests until there are no more; what methods print goes to stderr."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    waiting: SimpleQueue = SimpleQueue()

    def read() -> None:
        while (data := _receive(requests)) is not None:
            waiting.put(data)
        os._exit(0)  # whoever asked is gone, whatever a method is doing

    Thread(target=read, daemon=True).start()
    me = os.getpid()
    while True:
        answer = _answer(*unpacked(waiting.get()))
        if os.getpid() != me:  # a fork that the method has left
            os._exit(0)
        _send(answers, packed(answer))


def _answer(here: str, path: list[str], method: str, found: str, acquisition: Acquisition, stages) -> tuple:
    """("found", whether a volume, its fields, seconds), ("refused", text) or ("failed", text, traceback, ran out)."""
    from veristem.recon.methods import METHODS

    try:
        os.chdir(here)
        sys.path[:] = path
        name = split_method(method)[0]
        if name != found:  # known by this name where it was asked for
            METHODS[name] = found
        start = time.perf_counter()
        result = run_method(method, acquisition, **stages)
        seconds = time.perf_counter() - start
        whole = isinstance(result, VOLUME.result)
        names = (field.name for field in fields(VOLUME.result if whole else KINDS[acquisition.kind].result))
        return "found", whole, {name: getattr(result, name) for name in names}, seconds
    except InputError as error:
        return "refused", told(error).partition(": ")[2]
    except BaseException as error:
        trace = printable("".join(traceback.format_exception(error)))
        return "failed", told(error), trace[-100_000:], ran_out(error)
