"""The options that say what codes are to be made, and none of the rows as such codes: what others are made like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from ..dtypes import ROTATIONS, OutputDtypeName, RotationName
from .common import DTYPES, Words

if TYPE_CHECKING:
    from ..embeddings import Embeddings
    from ..quantizers.fitting import LowBitQuantizer
    from ..quantizers.lowbit import Rows
    from ..words import Report

RANGES = "ranges"


class CodesAsked(NamedTuple):
    """What the options of :func:`kind_options` say."""

    dtype: OutputDtypeName | None
    bits: int | None
    bytes_per_vector: int | None
    scale: str | None
    rotation: RotationName | None = None

    @property
    def is_low_bit(self) -> bool:
        """Whether these are low-bit codes, which are fitted."""
        return self.bits is not None or self.bytes_per_vector is not None

    @property
    def is_nothing(self) -> bool:
        """Whether no codes are asked for."""
        return self.dtype is None and not self.is_low_bit

    def checked(self) -> CodesAsked:
        """Return itself; a usage error where options do not go together."""
        named = [
            option
            for option, value in (("--dtype", self.dtype), ("--bits", self.bits), ("--bytes", self.bytes_per_vector))
            if value is not None
        ]
        if len(named) > 1:
            raise click.UsageError(f"codes are of {named[0]} or of {named[1]}, not of both")
        if self.scale is not None:
            check_scale(self.scale, self.dtype)
        if self.rotation is not None and not self.is_low_bit:
            raise click.UsageError(f"--rotation {self.rotation} is of --bits or --bytes, which are not asked for")
        return self


def check_scale(scale: str, dtype: str | None) -> None:
    """Refuse a scale of codes that have none."""
    if dtype not in ("int8", "uint8"):
        raise click.UsageError(f"--scale {scale} is of --dtype int8 or uint8, which are not asked for")


def kind_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds the options to a command; `what` says of ``--dtype`` what becomes so."""

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--scale",
                type=Words(["unit", "per-vector", RANGES]),
                help="Of int8 and uint8: by default unit; ranges are calibrated on the sample.",
            ),
            click.option(
                "--bytes",
                "bytes_per_vector",
                type=click.IntRange(min=3),
                metavar="N",
                help="Low-bit codes instead, of so many bytes a vector.",
            ),
            click.option(
                "--bits", type=Words(["1", "2", "4"]), help="Low-bit codes instead, of so many bits a dimension."
            ),
            click.option("--dtype", type=DTYPES, help=what),
        ):
            command = option(command)
        return command

    return added


rotation_option = click.option(
    "--rotation",
    type=Words(ROTATIONS),
    help="Of low-bit codes: by default what keeps most of the sample, which takes a while to measure.",
)


def kind_of(rows: Embeddings, asked: CodesAsked, report: Report | None = None) -> tuple[Rows, LowBitQuantizer | None]:
    """Return none of the rows, which are floats, as the codes that are asked for; and the quantizer of low-bit ones."""
    if asked.is_low_bit:
        from ..quantizers.fitting import LowBitQuantizer

        size: dict[str, Any] = {"bits": asked.bits}
        if asked.bytes_per_vector is not None:
            size = {"bytes_per_vector": asked.bytes_per_vector}
        quantizer = LowBitQuantizer(**size, rotation=asked.rotation or "auto").fit(rows.values, progress=report)
        return quantizer.encode(rows.values[:1])[:0], quantizer
    if asked.dtype is None or asked.dtype == "float":
        return rows[:0], None
    from ..quantizers import calibrate, quantize

    with_scale = asked.dtype in ("int8", "uint8") and asked.scale is not None
    scale: Any = calibrate(rows.values) if asked.scale == RANGES else asked.scale
    blank = np.zeros((1, rows.dimension), np.float32)
    return quantize(blank, asked.dtype, scale=scale if with_scale else None)[:0], None
