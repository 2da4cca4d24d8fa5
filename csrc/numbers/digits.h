/* Digits by the eight, in a 64-bit word and portable C; the first character is the lowest byte. */
#ifndef EC_NUMBERS_DIGITS_H
#define EC_NUMBERS_DIGITS_H

#include "../target.h"

#if defined(EC_X86_64) || (defined(EC_AARCH64) && !defined(__AARCH64EB__)) /* little-endian */
#define EC_DIGITS_BY_EIGHT 1

/* Turns digits to 0 ... 9, and other characters to more than 9. */
EC_INLINE uint64_t ec_digits_load(const uint8_t *text) { return ec_load_u64(text) ^ UINT64_C(0x3030303030303030); }

/* Bit 7 of the bytes above 9. Only the lowest such bit can be relied on: a byte of 8a or more carries into the next
 * one. */
EC_INLINE uint64_t ec_digits_others(uint64_t x) {
    return (x | (x + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
}

/* The number that eight digits make, the lowest byte being the most significant: they become pairs, fours, and one
 * number, each in the place of its upper half. */
EC_INLINE uint64_t ec_digits_value(uint64_t x) {
    x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (x * 10000 + (x >> 32)) & UINT64_C(0xffffffff);
}

#endif
#endif
