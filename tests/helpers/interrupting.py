"""An exception from outside, as Ctrl-C raises it, at a chosen moment of a call."""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

HEARD = ("RESUME", "JUMP_BACKWARD", "CALL", "CALL_FUNCTION_EX")  # behind which Python looks for signals


class Interrupt:
    """Raises KeyboardInterrupt at a moment of a call at which Python hears signals, in files that begin as said.

    These are the beginning of each function, and the ends of calls and of turns of loops.
    """

    def __init__(self, at: int, rooms: tuple[str, ...]) -> None:
        self.left, self.place, self._rooms = at, "", rooms
        self._before: dict[FrameType, str] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self._rooms):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "return":
            self._before.pop(frame, None)
        if event == "opcode":
            heard = self._before.get(frame, "") in HEARD
            self._before[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            self.left -= heard
            if heard and not self.left:
                self.place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                self._before.clear()
                raise KeyboardInterrupt
        return self

    def raised_in(self, call: Callable[[], object]) -> list[str] | None:
        """Return the notes of the exception; None where the call ended before."""
        former = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt as error:
            return getattr(error, "__notes__", [])
        finally:
            sys.settrace(former)
        return None
