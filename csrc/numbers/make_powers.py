"""Write powers.c: the upper 64 bits of the powers of ten from 10^-64 to 10^45, cut off."""

from pathlib import Path

LOWEST, HIGHEST = -64, 45


def upper_bits(q: int) -> int:
    """Return floor(10^q / 2^(e - 63)), where 2^e is the highest power of two in 10^q."""
    shift = 512  # enough for every power here
    scaled = 10**q << shift if q >= 0 else (1 << shift) // 10**-q
    return scaled >> (scaled.bit_length() - 64)


def main() -> None:
    """Write the table beside this file."""
    words = [f"0x{upper_bits(q):016x}u" for q in range(LOWEST, HIGHEST + 1)]
    lines = [f"    {', '.join(words[i : i + 4])}, /* from 10^{LOWEST + i} */" for i in range(0, len(words), 4)]
    head = (
        "/* Written by make_powers.py. */\n"
        '#include "powers.h"\n\n'
        "const uint64_t ec_powers_of_ten[EC_POWER_LAST - EC_POWER_LOWEST + 1] = {\n"
    )
    text = head + "\n".join(lines) + "\n};\n"
    Path(__file__).with_name("powers.c").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
