"""One BLAS thread while a verb works: several add in another order, and the last bits of sums differ."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_thread"]

_lock = threading.Lock()
_state: dict[str, Any] = {"depth": 0, "limit": None, "controller": None, "modules": 0}


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS at one thread; verbs within verbs, and in several threads, release it together at the end."""
    with _lock:
        _hold()
        _state["depth"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["depth"] -= 1
            if _state["depth"] == 0:
                _release()


def _hold() -> None:
    """Limit the libraries that are loaded; those that came since the last look are found by a new one."""
    from threadpoolctl import ThreadpoolController

    if _state["depth"] and _state["modules"] == len(sys.modules):
        return
    if _state["controller"] is None or _state["modules"] != len(sys.modules):
        if _state["limit"] is not None:
            _release()
        _state["controller"] = ThreadpoolController()
        _state["modules"] = len(sys.modules)
    _state["limit"] = _state["controller"].limit(limits=1, user_api="blas")
    _let_go()


def _release() -> None:
    if _state["limit"] is not None:
        _state["limit"].restore_original_limits()
        _state["limit"] = None
        _let_go()


def _let_go() -> None:
    """Let another thread restore the limit: newer threadpoolctl obeys only the thread that has set it."""
    import threadpoolctl

    clear = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear()
