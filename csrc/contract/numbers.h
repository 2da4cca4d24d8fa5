/* Arrays of JSON numbers, read and written. */
#ifndef EC_CONTRACT_NUMBERS_H
#define EC_CONTRACT_NUMBERS_H

#include "results.h"
#include "text.h"

enum ec_number_flags {
    EC_NULLS_AS_NAN =
        1, /* null, NaN, Infinity, -Infinity and numbers beyond float32 are read as NaN instead of refused */
};

/* Read one JSON array of numbers into float32, each correctly rounded (nearest, ties to even). text[0] is '['; white
 * space is allowed between tokens. `consumed` is the number of bytes up to and with the ']', `produced` that of the
 * numbers. EC_NO_CAPACITY where there are more than `capacity` numbers. Which byte `consumed` names on failure is
 * specified in csrc/numbers/scalar.c. */
ec_result ec_floats_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags);

/* The same into int8 or uint8 (`type`, of enum ec_type), from any JSON number of integral value in range: -128.0 and
 * 1e2, too. */
ec_result ec_integers_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t type, int32_t flags);

/* Read a JSON array of numbers, or a non-empty array of such arrays of equal length, with nothing but white space
 * around it. On success *rows (-1 for the one array) and *columns are set. `capacity` counts all numbers.
 * EC_BAD_LENGTH, at its '[', for a row of another length. */
ec_result ec_float_rows_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags, int64_t *rows,
                              int64_t *columns);

/* The most numbers that the text can hold: one more than it has commas. */
int64_t ec_numbers_bound(const void *text, int64_t n);

/* Write "[a,b,...]" with the shortest text of each number that reads back to the same float32, and return the bytes
 * written, at most EC_FLOAT_TEXT a number and 2 more. Where a value is not finite the result is -1 - (its index), and
 * the text is of no use.
 *
 *     from 1e-4 to below 1e9  0.00012 1.0 -0.0 123456790.0     always with a point
 *     elsewhere               1e-5 1.5e-5 1e9 3.4028235e38     exponents without '+' and leading zeros */
int64_t ec_floats_format(const void *values, int64_t n, void *text);
int64_t ec_float_rows_format(const void *values, int64_t rows, int64_t columns,
                             void *text); /* 3 more bytes a row, and 2 */

/* The same for int8 or uint8 values: at most EC_INTEGER_TEXT bytes a number, and 2 more. */
int64_t ec_integers_format(const void *values, int64_t n, int32_t type, void *text);

/* Go on with the text of rows of `columns` float32, or, where columns is -1, of `rows` numbers by themselves of `type`,
 * as one array without its last bracket. `produced` of them are written, and `consumed` bytes. EC_NO_CAPACITY where
 * there was no room for more; EC_NOT_FINITE, `consumed` then the offset of the element. */
ec_result ec_numbers_write(const void *values, int64_t rows, int64_t columns, int32_t type, const ec_text *to);
int64_t ec_numbers_write_most(int64_t columns); /* bytes of the longest block */

enum ec_text_bound {
    EC_FLOAT_TEXT = 16,  /* -1.2345678e-38, or -0.000123456789 with a comma */
    EC_INTEGER_TEXT = 5, /* "-128," */
};

#endif
