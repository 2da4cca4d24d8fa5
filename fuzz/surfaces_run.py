"""Drive the surfaces of `surfaces.py` with changed inputs for some seconds each.

    python surfaces_run.py [--seconds 20 | --inputs 30000] [--seed 0] [--keep build] [SURFACE ...]

Counted inputs are the same on every machine, those of some seconds as many as it can try.

An input whose outcome is new (its type of error and the words of its message, without the numbers in it) is kept to be
changed further: so the search works its way inwards, as a coverage-guided one does. A finding is printed, its input is
left under `--keep`, and the exit status is 1. Run it on a core built with the sanitizers (`make test-asan` builds one).
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import sys
import time
import traceback
import warnings
from pathlib import Path

from surfaces import ROOM, SURFACES, Parts, Surface

from embcodec import EmbcodecError

NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"null",
    b"[]",
    b"{}",
    b"-1",
    b"1e999",
    b"NaN",
    b'"',
    b"\\ud800",
    b"\x00",
    b"\xff\xfe",
    b"[[[[",
    b"99999999999999999999",
    b"True",
)
MOST_KEPT = 400
MOST_WORDS = 100  # characters of what is said that tell outcomes apart
MOST_BYTES = 1 << 16


def change(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with one to four small changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(changed) + 1) if rng.random() < 0.6 else min(rng.randrange(400), len(changed))
        kind = rng.randrange(8)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            width = rng.choice((1, 2, 4, 8))
            changed[at : at + width] = (rng.choice(NUMBERS) % 256**width).to_bytes(width, rng.choice(("little", "big")))
        elif kind == 2:
            changed[at : at + rng.choice((0, 1, 4))] = rng.choice(WORDS)
        elif kind == 3:
            del changed[at : at + rng.choice((1, 2, 8, 64))]
        elif kind == 4:
            changed[at:at] = changed[at : at + rng.choice((1, 8, 64))]
        elif kind == 5:
            del changed[at:]
        elif kind == 6:
            for number in list(re.finditer(rb"\d+", changed[at : at + 200]))[:1]:
                start, end = at + number.start(), at + number.end()
                changed[start:end] = str(rng.choice(NUMBERS)).encode()
        else:
            other = rng.randrange(len(changed) + 1)
            changed[at : at + 16] = changed[other : other + 16]
    return bytes(changed[:MOST_BYTES])


def change_part(data: bytes, container: Parts, rng: random.Random) -> bytes:
    """Return the container with one of its parts changed, or another's, or gone."""
    try:
        parts = container.open(data)
    except Exception:
        return change(data, rng)
    if not parts:
        return change(data, rng)
    name = rng.choice(sorted(parts))
    kind = rng.randrange(12)
    if kind == 0:
        del parts[name]
    elif kind == 1:
        parts[name] = parts[rng.choice(sorted(parts))]
    else:
        parts[name] = change(parts[name], rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return container.seal(parts)


def outcome(surface: Surface, data: bytes) -> str:
    try:
        said = f"accepted {surface.run(data)}"
    except EmbcodecError as error:
        said = f"{type(error).__name__}: {error}"
    said = re.sub(rf"{ROOM}/input\S*", "", said)  # what is said comes behind the name of the file
    return re.sub(r"[0-9]+|[^ -~]", "#", said)[:MOST_WORDS]


def drive(name: str, seconds: float, inputs: float, seed: int, keep: Path) -> bool:
    """Try changed inputs until there were so many, or so many seconds are over; return whether nothing was found."""
    surface, rng = SURFACES[name], random.Random(f"{name} {seed}")
    kept = surface.seeds()
    seen = {outcome(surface, data) for data in kept}
    tried, sound, end = 0, True, time.monotonic() + seconds
    current = keep / f"{name}-running"
    while tried < inputs and time.monotonic() < end:
        data, inside = rng.choice(kept), rng.random() < 0.7
        data = change_part(data, surface.parts, rng) if surface.parts and inside else change(data, rng)
        current.write_bytes(data)  # stays behind where the process dies
        tried += 1
        try:
            what = outcome(surface, data)
        except Exception as error:
            what = (
                "finding "
                + "".join(traceback.format_exception_only(error))
                + str(traceback.extract_tb(error.__traceback__)[-1])
            )
            if what not in seen:
                path = keep / f"{name}-{len(seen)}"
                path.write_bytes(data)
                traceback.print_exc()
                print(f"{name}: finding, input in {path}", flush=True)
            sound = False
        if what not in seen and len(kept) < MOST_KEPT:
            kept.append(data)
        seen.add(what)
    current.unlink(missing_ok=True)
    print(f"{name:12} {tried:8} inputs, {len(seen)} outcomes", flush=True)
    return sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surfaces", nargs="*", default=list(SURFACES), metavar="SURFACE")
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--seconds", type=float, help="for each surface; 20 where nothing is said")
    until.add_argument("--inputs", type=int, help="for each surface")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(__file__).parent / "build")
    options = parser.parse_args()
    os.makedirs(options.keep, exist_ok=True)
    warnings.simplefilter("ignore")
    inputs = options.inputs or math.inf
    seconds = options.seconds or (math.inf if options.inputs else 20)
    sound = [drive(name, seconds, inputs, options.seed, options.keep) for name in options.surfaces]
    return not all(sound)


if __name__ == "__main__":
    sys.exit(main())
