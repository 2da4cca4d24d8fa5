"""How far something is: told to a function, or shown as a bar on standard error."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from .arguments import has_elements, shown

F = TypeVar("F", bound=Callable[..., Any])


class Report(Protocol):
    """What is told how far something is."""

    def __call__(self, done: int, total: int | None, label: str = "", /) -> None:
        """Hear that so much is done, of so much or of nobody knows how much."""


@contextmanager
def progress_bar(title: str) -> Iterator[Report | None]:
    """Show a bar on standard error, or in a notebook, while the block runs; yields ``report(done, total, label)``.

    Where there is neither a terminal nor a notebook nothing is shown, and None is yielded.
    """
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int | None, label: str = "", /) -> None:
            progress.update(task, completed=done, total=total, description=label or title)

        yield report


@contextmanager
def _watched(progress: Any, title: str, total: int | None) -> Iterator[Any]:
    if progress is None or progress is False:
        yield None
    elif progress is True:
        with progress_bar(title) as report:
            if report is not None and total is not None:
                report(0, total)
            yield report
    elif callable(progress):
        yield progress
    else:
        raise TypeError(f"progress is True, or a function that is told how far it is, not {shown(progress)}")


def shows_progress(title: str, all_of: str = "") -> Callable[[F], F]:
    """Have a function, coroutine or generator whose keyword `progress` is a callable take True as well, for a bar.

    Parameters
    ----------
    title : str
    all_of : str
        The argument whose length, where it is a list or the like, is the bar's total from the start.

    Examples
    --------
    >>> @shows_progress("counting")
    ... def count(*, progress=None):
    ...     return progress
    >>> count(progress=False), count(progress=print) is print
    (None, True)
    """

    def decorate(function: F) -> F:
        wrapper: Any
        place = list(inspect.signature(function).parameters).index(all_of) if all_of else 0

        def total(arguments: tuple[Any, ...], named: dict[str, Any]) -> int | None:
            whole = arguments[place] if place < len(arguments) else named.get(all_of)
            if not all_of or isinstance(whole, str) or not (isinstance(whole, Sized) and has_elements(whole)):
                return None
            return len(whole)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def wrapper(*arguments: Any, progress: Any = None, **named: Any) -> Any:
                with _watched(progress, title, total(arguments, named)) as report:
                    return await function(*arguments, progress=report, **named)

        elif inspect.isgeneratorfunction(function):

            @wraps(function)
            def wrapper(*arguments: Any, progress: Any = None, **named: Any) -> Any:
                with _watched(progress, title, total(arguments, named)) as report:
                    yield from function(*arguments, progress=report, **named)

        else:

            @wraps(function)
            def wrapper(*arguments: Any, progress: Any = None, **named: Any) -> Any:
                with _watched(progress, title, total(arguments, named)) as report:
                    return function(*arguments, progress=report, **named)

        return cast(F, wrapper)

    return decorate
