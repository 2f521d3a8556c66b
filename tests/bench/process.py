"""Work in processes of its own: prepared first, then begun together."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

Spec = TypeVar("Spec")
Result = TypeVar("Result")

READY_S = 120.0
_context = multiprocessing.get_context("spawn")


def together(
    prepare: Callable[[Spec], Callable[[], Result]], specs: list[Spec], limit_s: float
) -> list[Result]:
    """Run `prepare(spec)()` once per spec, each in a process; the second call begins in all at once.

    Raises RuntimeError when one fails or is not done in `limit_s`. No process is left.
    """
    pairs = [_context.Pipe() for _ in specs]
    processes = [
        _context.Process(target=_work, args=(theirs, prepare, spec), daemon=True)
        for (_, theirs), spec in zip(pairs, specs, strict=True)
    ]
    try:
        for process in processes:
            process.start()
        for ours, theirs in pairs:
            theirs.close()
            _receive(ours, READY_S)
        for ours, _ in pairs:
            ours.send("begin")
        return [_receive(ours, limit_s) for ours, _ in pairs]
    finally:
        for process in processes:
            process.join(2)
            if process.is_alive():
                process.kill()
                process.join()


def alone(prepare: Callable[[Spec], Callable[[], Result]], spec: Spec, limit_s: float) -> Result:
    """Run `prepare(spec)()` in a process."""
    return together(prepare, [spec], limit_s)[0]


def _receive(pipe: Connection, limit_s: float) -> Any:
    if not pipe.poll(limit_s):
        raise RuntimeError(f"a process of the benchmark was not done in {limit_s:.0f} s")
    try:
        ok, value = pipe.recv()
    except EOFError as exc:
        raise RuntimeError("a process of the benchmark died") from exc
    if not ok:
        raise RuntimeError(value)
    return value


def _work(pipe: Connection, prepare: Callable[[Any], Callable[[], Any]], spec: Any) -> None:
    try:
        work = prepare(spec)
        pipe.send((True, None))
        pipe.recv()
        pipe.send((True, work()))
    except Exception as exc:
        pipe.send((False, f"{type(exc).__name__}: {exc}"))
