/* Reads and rounds numbers of the shape that nearly all have, -?d.d{1,24} with ',' or ']' behind, without a branch on
 * what varies from one number to the next: the sign, the number of digits, their leading zeros. */
#ifndef EC_NUMBERS_PLAIN_H
#define EC_NUMBERS_PLAIN_H

#include "digits.h"
#include "powers.h"

enum {
    EC_PLAIN_BYTES = 32, /* bytes that may be read from the number's start on; 28 are */
    EC_PLAIN_DIGITS = 24 /* the most digits behind the point */
};

#if defined(EC_DIGITS_BY_EIGHT)

/* All bits below the lowest bit set in `others`, moved down by 7; all ones where none is set. These are the bytes
 * before the first that is no digit. */
EC_INLINE uint64_t ec_plain_below(uint64_t others) {
    others >>= 7;
    return (others - 1) & ~others;
}

/* Moves bit 7 of byte i to bit i. */
EC_INLINE uint64_t ec_plain_gather(uint64_t others) { return (others >> 7) * UINT64_C(0x0102040810204080) >> 56; }

/* Returns the length of the number at `text`, of which EC_PLAIN_BYTES may be read, and its nearest float32 in *bits.
 * Returns 0 where the number does not have the shape, is below 2^-27, or may be rounded either way by the digits that
 * are looked at. */
EC_INLINE int64_t ec_plain_read(const uint8_t *text, uint32_t *bits) {
    uint32_t negative = *text == '-';
    const uint8_t *p = text + negative;
    uint64_t whole = (uint64_t)*p - '0';
    if (EC_UNLIKELY(whole > 9) || EC_UNLIKELY(p[1] != '.')) return 0;

    /*     -d.aaaaaaaabbbbbbbbcccccccc    c only tells where the digits end: 17 digits nearly always decide */
    uint64_t a = ec_digits_load(p + 2), b = ec_digits_load(p + 10), c = ec_digits_load(p + 18);
    uint64_t a_others = ec_digits_others(a), b_others = ec_digits_others(b), c_others = ec_digits_others(c);
    uint64_t others = ec_plain_gather(a_others) | ec_plain_gather(b_others) << 8 | ec_plain_gather(c_others) << 16;
    int64_t count = ec_trailing_zeros_u64(others | UINT64_C(1) << EC_PLAIN_DIGITS);
    uint8_t behind = p[2 + count];
    if (EC_UNLIKELY(count == 0) || (EC_UNLIKELY(behind != ',') && behind != ']')) return 0;

    /* Bytes behind the digits become 0, so that the number is w * 10^-16 however many digits it has. b counts only if
     * all of a are digits: then all of a_mask is set, and only then its bit 63. */
    uint64_t a_mask = ec_plain_below(a_others);
    uint64_t b_mask = ec_plain_below(b_others) & (0 - (a_mask >> 63));
    uint64_t w =
        whole * UINT64_C(10000000000000000) + ec_digits_value(a & a_mask) * 100000000 + ec_digits_value(b & b_mask);

    /* w < 10^17 < 2^57 leaves 7 bits free. The power is 10^-16 * 2^117, cut off. So with 7 bits more and 64 fewer
     *     high = number * 2^60, less up to 2^7 (digits left out) + 1 (power) + 1 (lower word) */
    const uint64_t slack = 130;
    uint64_t high;
    ec_multiply_u64(w << 7, ec_powers_of_ten[-16 - EC_POWER_LOWEST], &high);
    if (EC_UNLIKELY(high >> 33 == 0))
        return 0; /* zero, and numbers for which the slack comes near half a unit: at most 2^37.1 from here on */

    /* top: 1xxxxxxx xxxxxxxx xxxxxxxx|rrrrrrrr ... r    24 bits stay; if r is just below its middle, or on it, rounding
     * is open */
    int zeros = ec_leading_zeros_u64(high);
    uint64_t top = high << zeros, margin = slack << zeros;
    uint64_t above = (top - (UINT64_C(1) << 39) + margin) << 24; /* r - (middle - margin), modulo 2^40 */
    if (EC_UNLIKELY(above <= margin << 24)) return 0;
    uint32_t mantissa = (uint32_t)(((top >> 39) + 1) >> 1);
    /* number = 2^(3 - zeros) * 1.x. The hidden bit adds 1 to the exponent field, and so does a carry out of the
     * mantissa. */
    *bits = mantissa + ((uint32_t)(127 + 3 - 1 - zeros) << 23) + (negative << 31);
    return p + 2 + count - text;
}

#else

EC_INLINE int64_t ec_plain_read(const uint8_t *text, uint32_t *bits) {
    (void)text;
    (void)bits;
    return 0;
}

#endif
#endif
