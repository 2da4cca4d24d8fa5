/* Codes of one, two and four bits a dimension. */
#ifndef EC_CONTRACT_LOWBIT_H
#define EC_CONTRACT_LOWBIT_H

#include "results.h"

/* How rows become codes: centred, turned, coded. Arrays are float32, NULL where there is none; a panel is (inner, 64):
 * what 64 dimensions of the result take of each of `inner` values, zero where there are not so many. */
typedef struct {
    int64_t dimension;
    int32_t bits;        /* 1, 2 or 4 */
    int32_t dense;       /* whether panels take all dimensions, not 64 each */
    ec_array levels;     /* (2^bits,), ascending, for values of unit variance */
    ec_array thresholds; /* (2^bits - 1,), between them */
    ec_array patterns;   /* uint8 (2^bits,): the bits of each level */
    ec_array center;     /* (dimension,) */
    ec_array factors;    /* (rounds, dimension): see ec_rotate_f32 */
    int32_t rounds;
    ec_array panels;    /* (ceil(dimension / 64), 64, or dimension where dense, 64) */
    int64_t directions; /* a multiple of 64, only beside panels; 0: none of what follows */
    ec_array along;     /* (directions / 64, dimension, 64): V, orthonormal, before the panels' map T */
    ec_array turned;    /* likewise: T V */
    ec_array added;     /* (ceil(dimension / 64), directions, 64): diag(gains - 1) (T V)^T */
    ec_array weights;   /* (directions,): 1 / gains - gains */
} ec_lowbit_scheme;

/* What coding reads and fills; `capacity` is the rows that scales, lengths and squares each have room for. */
typedef struct {
    const void *values; /* float32 (rows, dimension) */
    int64_t values_count;
    void *scratch; /* 64-byte aligned */
    int64_t scratch_bytes;
    void *packed;
    int64_t packed_bytes;
    void *scales, *lengths, *squares;
    int64_t capacity;
} ec_lowbit_rows;

/* Bytes of scratch for ec_lowbit_encode_f32() of so many rows; -1 for numbers out of range. */
int64_t ec_lowbit_scratch_bytes(const ec_lowbit_scheme *scheme, int64_t rows);

/* Code rows x: r = x - center becomes y = T (I + V diag(gains - 1) V^T) r and that levels l of y sqrt(dimension) / |y|.
 * packed: (rows, bits * ceil(dimension / 8)), a plane a bit, first dimension highest. Float32 (rows,) are lengths, |r|,
 * and scales, |r|^2 / <T (I + V diag(1 / gains - 1) V^T) r, l>, 0 where that dot is not positive or, with directions,
 * below |r| sqrt(dimension) / 20. squares: double (rows,), |x|^2. NaN and Infinity are refused (EC_NOT_FINITE,
 * `consumed` the element's offset in the matrix), and so are arrays that are too short for what they should hold. */
ec_result ec_lowbit_encode_f32(const ec_lowbit_scheme *scheme, int64_t rows, const ec_lowbit_rows *to);

/* The turned rows alone, y of the above: float32 (rows, dimension). All are finite. What is too short for what it should
 * hold is EC_BAD_ARGUMENT. */
ec_result ec_lowbit_turn_f32(const ec_lowbit_scheme *scheme, ec_array values, int64_t rows, void *scratch,
                             int64_t scratch_bytes, void *turned, int64_t turned_count);

#endif
