"""Write compact.c: for each set of eight bytes, the shuffle that brings those in it to the front."""

from pathlib import Path

NOTHING = 0x80  # of a shuffle: a byte of zero


def shuffle(chosen: int) -> int:
    """Return the places of the bits set, the lowest in the lowest byte."""
    places = [place for place in range(8) if chosen >> place & 1]
    return int.from_bytes(bytes(places).ljust(8, bytes([NOTHING])), "little")


def main() -> None:
    """Write the table beside this file."""
    words = [f"0x{shuffle(chosen):016x}u" for chosen in range(256)]
    lines = [f"    {', '.join(words[i : i + 4])}," for i in range(0, len(words), 4)]
    head = '/* Written by make_compact.py. */\n#include "compact.h"\n\nconst uint64_t ec_compact_eight[256] = {\n'
    Path(__file__).with_name("compact.c").write_text(head + "\n".join(lines) + "\n};\n", encoding="utf-8")


if __name__ == "__main__":
    main()
