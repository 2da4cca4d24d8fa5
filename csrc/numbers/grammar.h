/* The grammar of an array of numbers over blocks of 64 bytes, as masks in which bit i stands for byte i. The vector
 * tiers share it; they differ in how they classify bytes, and in what they do with the positions found.
 *
 * A number is a run of its characters, and has one bit in each of three masks: at its first digit, behind its integer
 * part, and behind its end.
 *
 *     text      ,-0.0123,45,
 *     first       ^      ^        the digit that begins it, behind a '-'
 *     point        ^       ^      the point, or the end where there is no point
 *     end               ^  ^      the byte behind it, always its comma: other texts ("1 ,2") are left to scalar
 *
 * The n-th bits of the three masks belong to the n-th number of the text. */
#ifndef EC_NUMBERS_GRAMMAR_H
#define EC_NUMBERS_GRAMMAR_H

#include "decimal.h"

typedef struct {
    uint64_t digits, zeros, points, minuses, commas, spaces;
    uint64_t exponents; /* 'e', 'E', '+' */
} ec_number_classes;

/* What one block hands to the next: bit 0 stands for the last byte of the block. */
typedef struct {
    uint64_t run, digit_wanted, leading_zero, exponent, integer_part;
} ec_number_carry;

typedef struct {
    uint64_t first, point, end;
    uint64_t negative; /* the bits of `first` behind a '-' */
    uint64_t fraction; /* digits behind a point */
    uint64_t bad;      /* where the text is not plainly an array of numbers; numbers that end before are right */
} ec_number_marks;

EC_INLINE ec_number_marks ec_number_mark(const ec_number_classes *c, ec_number_carry *carry) {
    ec_number_marks marks;
    uint64_t exponent_minuses = 0;
    if (EC_UNLIKELY((c->exponents | carry->exponent) != 0)) {
        exponent_minuses = c->minuses & (c->exponents << 1 | carry->exponent);
        carry->exponent = c->exponents >> 63;
    }
    uint64_t minuses = c->minuses & ~exponent_minuses;
    uint64_t run = c->digits | c->points | c->exponents | exponent_minuses;
    uint64_t run_before = run << 1 | carry->run;
    uint64_t starts = run & ~run_before;
    marks.first = starts;
    marks.end = ~run & run_before;

    /* Adding a number's first digit to its run of digits carries out of the run, to the byte behind the integer part.
     *
     *     text      ,-0.0123,45,      bit 0 at the left
     *     digits    ..1.1111.11.      + first:  carries end at the point, or where there is none at the comma */
    uint64_t sum = c->digits + starts, carried = sum + carry->integer_part;
    marks.point = carried & ~c->digits;
    marks.fraction = carried & c->digits;

    uint64_t digit_wanted = minuses | c->points, leading_zeros = starts & c->zeros;
    uint64_t minus_before = minuses << 1; /* the carry of this is only needed together with that of digit_wanted */
    marks.negative = starts & (minus_before | (carry->digit_wanted & ~carry->run));
    uint64_t known = run | minuses | c->commas | c->spaces;
    marks.bad = ~known |                                                   /* another byte */
                (starts & ~c->digits) |                                    /* .5 e5 */
                (marks.end ^ c->commas) |                                  /* 1 2, and a comma without a number */
                ((digit_wanted << 1 | carry->digit_wanted) & ~c->digits) | /* 1.e5 - 1 */
                (minuses & run_before) |                                   /* 1-2 */
                (c->points & ~marks.point) |                               /* 1.2.3 1e5.0 */
                ((leading_zeros << 1 | carry->leading_zero) & c->digits);  /* 01 */
    carry->run = run >> 63;
    carry->digit_wanted = digit_wanted >> 63;
    carry->leading_zero = leading_zeros >> 63;
    carry->integer_part = (uint64_t)(sum < c->digits) | (uint64_t)(carried < sum);
    return marks;
}

#endif
