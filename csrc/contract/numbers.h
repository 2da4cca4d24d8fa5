/* JSON numbers, read and written. */
#ifndef EC_CONTRACT_NUMBERS_H
#define EC_CONTRACT_NUMBERS_H

#include "results.h"

enum ec_number_flags {
    EC_NULLS_AS_NAN = 1, /* null, NaN, Infinity, -Infinity and numbers beyond float32 are read as NaN, not refused */
};

/* One JSON array of numbers, text[0] == '[', white space allowed between its tokens, to float32, each correctly rounded
 * (nearest, ties to even). consumed: the bytes up to and with its ']'; produced: the numbers written. More numbers than
 * `capacity`: EC_NO_CAPACITY. Which byte `consumed` names on failure: csrc/numbers/scalar.c. */
ec_result ec_floats_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags);

/* The same to int8 or uint8 (`type`, an enum ec_type): any JSON number of integral value in range, -128.0 and 1e2 too. */
ec_result ec_integers_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t type, int32_t flags);

/* A JSON array of numbers, or a non-empty array of such arrays of equal length, and nothing but white space around:
 * rows (-1 for the one array) and columns are set on success. capacity: numbers in all. Rows of unequal length:
 * EC_BAD_LENGTH at the row's '['. */
ec_result ec_float_rows_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags, int64_t *rows,
                              int64_t *columns);

/* How many numbers the text can hold at most: its commas and one. */
int64_t ec_numbers_bound(const void *text, int64_t n);

/* Writes "[a,b,...]", each number the shortest text that reads back to the same float32, and returns the bytes written:
 * at most EC_FLOAT_TEXT a number, and 2. Where a value is not finite nothing of use is written and the result is
 * -1 - its index.
 *     from 1e-4 to below 1e9  0.00012 1.0 -0.0 123456790.0     always with a point
 *     elsewhere               1e-5 1.5e-5 1e9 3.4028235e38     no sign or zero before the exponent's digits but '-' */
int64_t ec_floats_format(const void *values, int64_t n, void *text);
int64_t ec_float_rows_format(const void *values, int64_t rows, int64_t columns, void *text); /* + 3 a row, + 2 */

/* The same for int8 or uint8 values: at most EC_INTEGER_TEXT bytes a number, and 2. */
int64_t ec_integers_format(const void *values, int64_t n, int32_t type, void *text);

enum ec_text_bound {
    EC_FLOAT_TEXT = 16,  /* -1.2345678e-38, or -0.000123456789 */
    EC_INTEGER_TEXT = 5, /* -128, */
};

#endif
