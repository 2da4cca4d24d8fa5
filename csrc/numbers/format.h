/* Shared by the vector writers of floats, which find the digits of many numbers at a time: the text of each is made by
 * one byte shuffle, chosen by its sign and by where its point goes.
 *
 * They have a quick way for zeros, and what lies from 1e-4 to below 2^27: there the powers of ten have but 32 bits, and
 * no text has an exponent. Where a block has several other numbers, it goes a way that takes all but subnormal ones, of
 * which the shortest decimal has six digits or more before its zeros are cut off. What is left is written alone, by
 * ec_float_format(). */
#ifndef EC_NUMBERS_FORMAT_H
#define EC_NUMBERS_FORMAT_H

#include "decimal.h"
#include "powers.h"

enum {
    EC_BITS_OF_LEAST = 0x38d1b717,  /* the float nearest to 1e-4 */
    EC_BITS_OF_MOST = 0x4cffffff,   /* the last one below 2^27 */
    EC_BITS_OF_ONE = 0x3f800000,    /* which stands in for numbers that are not taken */
    EC_BITS_OF_NORMAL = 0x00800001, /* the second normal one: the interval of the first is that of the subnormal ones */
    EC_ALONE = 1,                   /* number in a block that is written alone; more of them go the other way */
    EC_LOWEST_FORM = -4,
    EC_HIGHEST_FORM = 8,
    EC_FORMS = 16, /* of a sign, and the bytes of each */
    EC_DIGITS = 9,
    EC_FORMS_E = 2 * EC_FORMS * EC_FORMS /* where those with exponents begin, in bytes */
};

/* For each sign and each decimal exponent X from EC_LOWEST_FORM on the shuffle that makes the text of
 * +-d0.d1...d8 * 10^X from its source
 *
 *     byte   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14
 *            d1 d2 d3 d4 d5 d6 d7 d8 d0 0  .  -  e  3  8      the exponent's digits, which only texts with exponents have
 *
 * Trailing zeros of the digits are cut off by the length of the text. Texts with exponents have a shuffle for each sign,
 * sign of the exponent, count of its digits, and count of the digits before it. */
typedef struct {
    uint8_t pointed[2][EC_FORMS][EC_FORMS];
    uint8_t with_exponent[2][2][2][EC_DIGITS][EC_FORMS];
} ec_float_form_table;
extern const ec_float_form_table ec_float_forms;

#if defined(EC_X86_64)

EC_TARGET_AVX2

/* Writes a number and a comma, `length` bytes; `form` is the place of its shuffle in the table, in bytes. 16 bytes are
 * stored; number i begins at 1 + 16 i or before, so that no store reaches beyond 16 n + 1. */
EC_INLINE uint8_t *ec_text_write(uint8_t *p, const uint8_t *source, uint32_t form, uint32_t length) {
    __m128i form_u8x16 = _mm_loadu_si128((const __m128i *)((const uint8_t *)&ec_float_forms + form));
    __m128i source_u8x16 = _mm_loadu_si128((const __m128i *)source);
    _mm_storeu_si128((__m128i *)p, _mm_shuffle_epi8(source_u8x16, form_u8x16));
    p += length;
    p[-1] = ',';
    return p;
}

/* The same of a block of 4 * `rows` numbers, of which the first `count` are written, those of `alone` each by itself.
 * Sources of numbers that are four apart lie side by side, as unpacking leaves them. */
EC_INLINE uint8_t *ec_texts_write(uint8_t *p, const uint8_t *sources, int rows, const uint32_t *form,
                                  const uint32_t *length, const float *values, int64_t count, uint32_t alone) {
    for (int i = 0; i < count; i++) {
        if (EC_UNLIKELY(alone >> i & 1)) {
            p = ec_float_format(ec_load_u32(values + i), p);
            *p++ = ',';
        } else {
            p = ec_text_write(p, sources + ((i & 3) * rows + (i >> 2)) * EC_FORMS, form[i], length[i]);
        }
    }
    return p;
}

EC_TARGET_END

#endif
#endif
