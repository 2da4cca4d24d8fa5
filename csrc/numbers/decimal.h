/* A JSON number read from text into a decimal, and a decimal rounded to float32. All tiers use this: it is the whole of
 * the scalar parser, and vector tiers hand numbers to it that they do not take. */
#ifndef EC_NUMBERS_DECIMAL_H
#define EC_NUMBERS_DECIMAL_H

#include "../kernels.h"

/* The number (-1)^negative * significand * 10^exponent, where `significand` is made of the first 19 significant digits.
 * If digits other than 0 were left out (`cut`), the magnitude lies strictly between significand and significand + 1
 * times 10^exponent, and 10^lowest is the place of the last digit that is not 0. */
typedef struct {
    uint64_t significand;
    int64_t exponent;
    int64_t lowest;
    int32_t cut;
    int32_t negative;
} ec_decimal;

/* Reads the number that starts at text[at] ('-' or a digit, at < n). Returns EC_OK with *next the offset behind it, or
 * a status with *next the offending byte:
 *
 *     EC_BAD_NUMBER       the first byte with which the text is no longer the beginning of a JSON number: the '1' of
 *                         01, the byte behind the point of "1." or behind "-", "1e", "1e+"
 *     EC_TRUNCATED        n, where the text ends within the number
 *     EC_NUMBER_TOO_LONG  `at`
 *
 * The caller judges what follows a complete number. */
int32_t ec_decimal_read(const uint8_t *text, int64_t n, int64_t at, ec_decimal *decimal, int64_t *next);

/* The float32 nearest to the decimal, ties to even. `number` and `length` are the text that it was read from, for the
 * rare cases in which every digit counts. Returns 0 where the result is beyond float32 (a magnitude of 2^128 - 2^103 or
 * more). */
int32_t ec_decimal_to_float(const ec_decimal *decimal, const uint8_t *number, int64_t length, float *out);

/* Compares the number with (2 * mantissa + 1) * 2^(exponent - 1), the middle between two floats. Returns -1, 0 or 1. */
int32_t ec_decimal_compare_midpoint(const uint8_t *number, int64_t length, uint32_t mantissa, int32_t exponent);

/* The integer that the decimal is: EC_OK; or EC_NOT_INTEGRAL; or, beyond +-999, EC_OUT_OF_RANGE. */
int32_t ec_decimal_to_integer(const ec_decimal *decimal, int32_t *out);

/* Read the elements of a JSON array of numbers one by one: the specification of the parsers. A vector tier that stops
 * before an element goes on here: `at` is the offset behind '[' or ',', `produced` the number of elements so far. After
 * `limit` elements they return EC_OK, and text[consumed - 1] is ',' where the array goes on, or ']' at its end. */
ec_result ec_floats_parse_from(const uint8_t *text, int64_t n, int64_t at, float *out, int64_t capacity,
                               int64_t produced, int32_t flags, int64_t limit);
ec_result ec_integers_parse_from(const uint8_t *text, int64_t n, int64_t at, uint8_t *out, int64_t capacity,
                                 int64_t produced, int32_t type, int64_t limit);

int64_t ec_floats_format_scalar(const float *values, int64_t n, uint8_t *text);
int64_t ec_integers_format_scalar(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);

/* Writes one finite float, of these bits. Up to EC_FLOAT_TEXT bytes may be written, and are. Returns where its text
 * ends. */
uint8_t *ec_float_format(uint32_t bits, uint8_t *text);

/* Writes numbers and the bracket behind them, for the end of a list. Returns where the text ends. */
uint8_t *ec_integers_format_rest(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);

EC_INLINE int ec_is_digit(uint8_t c) { return (uint8_t)(c - '0') <= 9; }
EC_INLINE int ec_is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

EC_INLINE ec_result ec_number_result(int32_t status, int64_t consumed, int64_t produced) {
    ec_result result;
    result.consumed = consumed;
    result.produced = produced;
    result.status = status;
    return result;
}

#endif
