"""One test of many small cases: what pytest does around a test takes longer than most of these do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def each(names: str, cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test once a case within one test, where pytest.mark.parametrize makes one test a case.

    `names` are those of the arguments that a case stands for, separated by commas. What fails says which case it was
    of, and a case that is skipped keeps none of the others from running. All share the fixtures: a test that leaves
    something behind in one wants parametrize.
    """
    keys, listed = [name.strip() for name in names.split(",")], list(cases)
    assert listed, f"no cases of {names}"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            skipped = []
            for case in listed:
                chosen = dict(zip(keys, case if len(keys) > 1 else (case,), strict=True))
                try:
                    test(**fixtures, **chosen)
                except pytest.skip.Exception as error:
                    skipped.append(f"{chosen!r}: {error}")
                except BaseException as error:
                    error.add_note(f"of the case {chosen!r}")
                    raise
            if skipped:
                pytest.skip(f"{len(skipped)} of {len(listed)} cases, the first of them {skipped[0]}")

        signature = inspect.signature(test)
        assert set(keys) <= set(signature.parameters), f"{test.__name__} takes no {names}"
        others = [one for name, one in signature.parameters.items() if name not in keys]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return run

    return decorate
