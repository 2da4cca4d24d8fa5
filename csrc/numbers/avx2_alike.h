/* The exponents of a chunk whose numbers all have one, and of as many bytes, with AVX2, for the second pass of avx2_single.c:
 * e-05 in all, as C and Python print them with "%e", or e-5. Then digits end as far before each number's end, and four
 * bytes from 'e' or 'E' on, taken together, are looked up.
 *
 *     text     1 . 5 e - 0 5 , 3 e - 5 ,
 *     key            e - 0 5     e - 5 ,     times KEY_FACTOR, of which the highest bits are the place of 10^-5 */
#ifndef EC_NUMBERS_AVX2_ALIKE_H
#define EC_NUMBERS_AVX2_ALIKE_H

#include "avx2_convert.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

#define EC_KEY(sign, tens, ones) (0x65u | (uint32_t)(sign) << 8 | (uint32_t)(tens) << 16 | (uint32_t)(ones) << 24)
#define EC_KEY_FACTOR 0xec9f6fbfu /* no two of the keys below have the same place */
#define EC_KEY_PLACE(key) ((uint32_t)((key) * EC_KEY_FACTOR) >> 25)

/* The exponents and their powers, times 10^-13. With these all numbers of digits 1.0 to 9.9 are normal floats, and so are
 * those of smaller digits, down to 10^-13. */
#define EC_ONE_DIGIT(X, ones, less, more) X('-', ones, ',', less) X('+', ones, ',', more)
#define EC_TWO_DIGITS(X, tens, ones, less, more) X('-', tens, ones, less) X('+', tens, ones, more)
#define EC_EXPONENTS_OF_ONE(X)         \
    EC_ONE_DIGIT(X, '0', 1e-13, 1e-13) \
    EC_ONE_DIGIT(X, '1', 1e-14, 1e-12) \
    EC_ONE_DIGIT(X, '2', 1e-15, 1e-11) \
    EC_ONE_DIGIT(X, '3', 1e-16, 1e-10) \
    EC_ONE_DIGIT(X, '4', 1e-17, 1e-9)  \
    EC_ONE_DIGIT(X, '5', 1e-18, 1e-8)  \
    EC_ONE_DIGIT(X, '6', 1e-19, 1e-7)  \
    EC_ONE_DIGIT(X, '7', 1e-20, 1e-6)  \
    EC_ONE_DIGIT(X, '8', 1e-21, 1e-5)  \
    EC_ONE_DIGIT(X, '9', 1e-22, 1e-4)
#define EC_EXPONENTS_OF_TWO(X)               \
    EC_TWO_DIGITS(X, '0', '0', 1e-13, 1e-13) \
    EC_TWO_DIGITS(X, '0', '1', 1e-14, 1e-12) \
    EC_TWO_DIGITS(X, '0', '2', 1e-15, 1e-11) \
    EC_TWO_DIGITS(X, '0', '3', 1e-16, 1e-10) \
    EC_TWO_DIGITS(X, '0', '4', 1e-17, 1e-9)  \
    EC_TWO_DIGITS(X, '0', '5', 1e-18, 1e-8)  \
    EC_TWO_DIGITS(X, '0', '6', 1e-19, 1e-7)  \
    EC_TWO_DIGITS(X, '0', '7', 1e-20, 1e-6)  \
    EC_TWO_DIGITS(X, '0', '8', 1e-21, 1e-5)  \
    EC_TWO_DIGITS(X, '0', '9', 1e-22, 1e-4)  \
    EC_TWO_DIGITS(X, '1', '0', 1e-23, 1e-3)  \
    EC_TWO_DIGITS(X, '1', '1', 1e-24, 1e-2)  \
    EC_TWO_DIGITS(X, '1', '2', 1e-25, 1e-1)  \
    EC_TWO_DIGITS(X, '1', '3', 1e-26, 1e0)   \
    EC_TWO_DIGITS(X, '1', '4', 1e-27, 1e1)   \
    EC_TWO_DIGITS(X, '1', '5', 1e-28, 1e2)   \
    EC_TWO_DIGITS(X, '1', '6', 1e-29, 1e3)   \
    EC_TWO_DIGITS(X, '1', '7', 1e-30, 1e4)   \
    EC_TWO_DIGITS(X, '1', '8', 1e-31, 1e5)   \
    EC_TWO_DIGITS(X, '1', '9', 1e-32, 1e6)   \
    EC_TWO_DIGITS(X, '2', '0', 1e-33, 1e7)   \
    EC_TWO_DIGITS(X, '2', '1', 1e-34, 1e8)   \
    EC_TWO_DIGITS(X, '2', '2', 1e-35, 1e9)   \
    EC_TWO_DIGITS(X, '2', '3', 1e-36, 1e10)  \
    EC_TWO_DIGITS(X, '2', '4', 1e-37, 1e11)
#define EC_EXPONENTS(X) EC_EXPONENTS_OF_ONE(X) EC_EXPONENTS_OF_TWO(X)

#define EC_KEY_ENTRY(sign, tens, ones, power) [EC_KEY_PLACE(EC_KEY(sign, tens, ones))] = EC_KEY(sign, tens, ones),
#define EC_POWER_ENTRY(sign, tens, ones, power) [EC_KEY_PLACE(EC_KEY(sign, tens, ones))] = power,

static const uint32_t EC_KEYS[128] = {EC_EXPONENTS(EC_KEY_ENTRY)};
static const uint32_t EC_KEYS_OF_TWO[128] = {EC_EXPONENTS_OF_TWO(EC_KEY_ENTRY)}; /* without a comma */
static const double EC_KEY_POWERS[128] = {EC_EXPONENTS(EC_POWER_ENTRY)};

/* The power of ten of the exponent that begins here, times 10^-13; with the bit of 0x20 'E' is 'e'. Bits of *others are set where it is not among the keys. */
EC_INLINE double ec_power_of_key(const uint8_t *e, const uint32_t keys[128], uint32_t *others) {
    const uint32_t key = ec_load_u32(e) | 0x20, place = EC_KEY_PLACE(key);
    *others |= keys[place] ^ key;
    return EC_KEY_POWERS[place];
}

/* The powers of four numbers, of which `from_e` behind their ends is where exponents begin. */
EC_INLINE __m256d ec_alike_powers_avx2(const uint8_t *from_e, const uint16_t *end, uint32_t *others) {
    double power[4];
    for (int j = 0; j < 4; j++) power[j] = ec_power_of_key(from_e + end[j], EC_KEYS, others);
    return _mm256_setr_pd(power[0], power[1], power[2], power[3]);
}

EC_TARGET_END

#endif
#endif
