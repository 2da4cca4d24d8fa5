"""Write pushes.c: the shuffles that push the bytes of small integers' texts together."""

from pathlib import Path

NOTHING = 0x80  # of a shuffle: a byte of zero


def words(places: list[int]) -> str:
    """Return the sixteen bytes of a shuffle, as two words."""
    shuffle = bytes(places).ljust(16, bytes([NOTHING]))
    low, high = (int.from_bytes(half, "little") for half in (shuffle[:8], shuffle[8:]))
    return f"{{0x{low:016x}u, 0x{high:016x}u}}"


def of_four(present: int) -> str:
    """Return the shuffle of four unsigned numbers: hundreds (bits 0 to 3), tens (4 to 7), ones and comma."""
    places = []
    for number in range(4):
        chosen = (present >> number & 1, present >> 4 + number & 1, 1, 1)
        places += [4 * number + place for place in range(4) if chosen[place]]
    return words(places)


def of_three(present: int) -> str:
    """Return that of three signed ones: minus (bits 0 to 2), hundreds (3 to 5), tens (6 to 8), ones; then a comma."""
    places = []
    for number in range(3):
        chosen = (present >> number & 1, present >> 3 + number & 1, present >> 6 + number & 1, 1)
        places += [4 * number + place for place in range(4) if chosen[place]] + [15]
    return words(places)


def table(declaration: str, shuffles: list[str]) -> str:
    """Return the text of a table."""
    lines = [f"    {', '.join(shuffles[i : i + 2])}," for i in range(0, len(shuffles), 2)]
    return "\n".join([f"const uint64_t {declaration} = {{", *lines, "};\n"])


def main() -> None:
    """Write the tables beside this file."""
    head = '/* Written by make_pushes.py. */\n#include "pushes.h"\n\n'
    four = table("ec_push_four[256][2]", [of_four(present) for present in range(256)])
    three = table("ec_push_three[512][2]", [of_three(present) for present in range(512)])
    Path(__file__).with_name("pushes.c").write_text(f"{head}{four}\n{three}", encoding="utf-8")


if __name__ == "__main__":
    main()
