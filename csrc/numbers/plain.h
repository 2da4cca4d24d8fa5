/* Numbers of the shape nearly all of them have, -?d.d{1,24} and ',' or ']' right behind: read and rounded in one go,
 * without a branch on anything that varies from one number to the next (the sign, the count of digits, their leading
 * zeros). */
#ifndef EC_NUMBERS_PLAIN_H
#define EC_NUMBERS_PLAIN_H

#include "digits.h"
#include "powers.h"

enum {
    EC_PLAIN_BYTES = 32, /* read from the number's start on: 28 at most */
    EC_PLAIN_DIGITS = 24 /* behind the point */
};

#if defined(EC_DIGITS_BY_EIGHT)

/* The lowest `others` bit and what is above it clear, all below set; all ones where no bit is set. */
EC_INLINE uint64_t ec_plain_below(uint64_t others) {
    others >>= 7;
    return (others - 1) & ~others;
}

/* One bit a byte: bit 7 of byte i to bit i. */
EC_INLINE uint64_t ec_plain_gather(uint64_t others) { return (others >> 7) * UINT64_C(0x0102040810204080) >> 56; }

/* The length of the number at `text`, of which EC_PLAIN_BYTES may be read, with its nearest float32 in *bits. 0 where it
 * is not of the shape, is under 2^-27, or where the digits looked at leave its rounding open. */
EC_INLINE int64_t ec_plain_read(const uint8_t *text, uint32_t *bits) {
    uint32_t negative = *text == '-';
    const uint8_t *p = text + negative;
    uint64_t whole = (uint64_t)*p - '0';
    if (EC_UNLIKELY(whole > 9) || EC_UNLIKELY(p[1] != '.')) return 0;

    /*  -d.aaaaaaaabbbbbbbbcccccccc    c only says where the digits end: 17 of them decide nearly always */
    uint64_t a = ec_digits_load(p + 2), b = ec_digits_load(p + 10), c = ec_digits_load(p + 18);
    uint64_t a_others = ec_digits_others(a), b_others = ec_digits_others(b), c_others = ec_digits_others(c);
    uint64_t others = ec_plain_gather(a_others) | ec_plain_gather(b_others) << 8 | ec_plain_gather(c_others) << 16;
    int64_t count = ec_trailing_zeros_u64(others | UINT64_C(1) << EC_PLAIN_DIGITS);
    uint8_t behind = p[2 + count];
    if (EC_UNLIKELY(count == 0) || (EC_UNLIKELY(behind != ',') && behind != ']')) return 0;

    /* What is behind the digits becomes zeros: the number is w * 10^-16 whatever its digits' count. All of a's mask is set
     * where b's digits count, and then its bit 63 is, which belongs to no byte's mask otherwise. */
    uint64_t a_mask = ec_plain_below(a_others);
    uint64_t b_mask = ec_plain_below(b_others) & (0 - (a_mask >> 63));
    uint64_t w =
        whole * UINT64_C(10000000000000000) + ec_digits_value(a & a_mask) * 100000000 + ec_digits_value(b & b_mask);

    /* w < 10^17 < 2^57 leaves 7 bits free. The power is 10^-16 * 2^117 less a fraction, so with 7 bits more and 64 fewer
     *     high = number * 2^60, less up to 2^7 (digits left out) + 1 (power) + 1 (lower word). */
    const uint64_t slack = 130;
    uint64_t high;
    ec_multiply_u64(w << 7, ec_powers_of_ten[-16 - EC_POWER_LOWEST], &high);
    if (EC_UNLIKELY(high >> 33 == 0))
        return 0; /* zero, and where the slack would near half a unit: at most 2^37.1 now */

    /* top: 1xxxxxxx xxxxxxxx xxxxxxxx|rrrrrrrr ... r    24 bits stay; r just below their middle, or on it, is open */
    int zeros = ec_leading_zeros_u64(high);
    uint64_t top = high << zeros, margin = slack << zeros;
    uint64_t above = (top - (UINT64_C(1) << 39) + margin) << 24; /* r - (middle - margin), modulo 2^40 */
    if (EC_UNLIKELY(above <= margin << 24)) return 0;
    uint32_t mantissa = (uint32_t)(((top >> 39) + 1) >> 1);
    /* number = 2^(3 - zeros) * 1.x; the hidden bit adds 1 to the exponent field, and so does a carry out of the
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
