/* Floats to codes of one to four bits a dimension, for corpora that are searched by their bits first. */
#ifndef EC_CONTRACT_LOWBIT_H
#define EC_CONTRACT_LOWBIT_H

#include "results.h"

/* The map by which rows become codes: centred, turned by a linear map, and coded by levels. Arrays are float32, NULL
 * where there is none. A panel is (inner, 64): the weights that 64 results have for each of `inner` values, zero behind
 * the last result. */
typedef struct {
    int64_t dimension;
    int32_t bits;        /* 1, 2, 3 or 4 */
    int32_t dense;       /* whether a panel takes all dimensions, or only the 64 of its results */
    ec_array levels;     /* (2^bits,), ascending, for values of unit variance */
    ec_array thresholds; /* (2^bits - 1,), between them */
    ec_array patterns;   /* uint8 (2^bits,): the bits of each level */
    ec_array center;     /* (dimension,) */
    ec_array factors;    /* (rounds, dimension): see ec_rotate_f32 */
    int32_t rounds;
    ec_array panels;     /* (ceil(dimension / 64), 64, or dimension where dense, 64) */
    int64_t directions;  /* a multiple of 64, only together with panels; 0: without the arrays below */
    ec_array along;      /* (directions / 64, dimension, 64): V, orthonormal, applied before the panels' map T */
    ec_array turned;     /* of the same shape: T V */
    ec_array added;      /* (ceil(dimension / 64), directions, 64): diag(gains - 1) (T V)^T */
    ec_array weights;    /* (directions,): 1 / gains - gains */
    int64_t shapes;      /* a multiple of 64; 0: levels are the nearest, without what is below */
    ec_array shaping;    /* (shapes / 64, dimension, 64): U */
    ec_array gradients;  /* (ceil(dimension / 64), shapes, 64): B U^T, in panels */
    ec_array couplings;  /* (ceil(dimension / 64), 64, 64): the blocks of U B U^T on its diagonal */
    ec_array curvatures; /* (64 ceil(dimension / 64),): the diagonal of m I + U B U^T */
    float rest;          /* m */
    int32_t shared;      /* whether U is T V, `turned`: then there are as many shapes as directions, and gains */
    ec_array gains;      /* (directions,) */
} ec_lowbit_scheme;

/* The values that coding reads and the arrays that it fills; `capacity` is the number of rows that scales, lengths and
 * squares each have room for. */
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

/* Bytes of scratch for ec_lowbit_encode_f32(), for each thread, and ec_lowbit_turn_f32() of so many rows; -1 for numbers
 * out of range. */
int64_t ec_lowbit_scratch_bytes(const ec_lowbit_scheme *scheme, int64_t rows);

/* Code rows x:
 *
 *     r = x - center
 *     y = T (I + V diag(gains - 1) V^T) r
 *     l = the levels of z = y sqrt(dimension) / |y|, by the thresholds
 *
 * With shaping the levels then change, one after the other and all twice, to those that make <e, (m I + U B U^T) e>
 * least, e = s l - z being a row's error and s |z|^2 / <z, l>, of the nearest levels.
 *
 * `packed` is (rows, bits * ceil(dimension / 8)): a plane of bits for each bit of a code, the first dimension highest.
 * `lengths` are |r|, and `scales` |r|^2 / <T (I + V diag(1 / gains - 1) V^T) r, l>: 0 where that dot is not positive
 * or, with directions, below |r| sqrt(dimension) / 20. Both are float32 (rows,). `squares` are double (rows,), |x|^2.
 * NaN and Infinity are refused (EC_NOT_FINITE, `consumed` the offset of the element in the matrix), and arrays that are
 * shorter than the numbers beside them say (EC_BAD_ARGUMENT). */
ec_result ec_lowbit_encode_f32(const ec_lowbit_scheme *scheme, int64_t rows, const ec_lowbit_rows *to, int32_t threads);

/* The turned rows alone, y above, or their first values: float32 (rows, turned_count / rows). All values must be finite.
 * EC_BAD_ARGUMENT where an array is too short, or `turned` has no whole rows, or longer ones than y. */
ec_result ec_lowbit_turn_f32(const ec_lowbit_scheme *scheme, ec_array values, int64_t rows, void *scratch,
                             int64_t scratch_bytes, void *turned, int64_t turned_count);

/* What float queries q, (rows, dimension), become before they are turned:
 *
 *     e = q / |q|, or 0      share = <e, c> / |c|^2, within -most .. most      rest = e - share c
 *
 * with a center c, (dimension,), or none. `rests` is float32 (rows, dimension), and `kept` double (4, rows): the |q|, the
 * shares, rounded to float32, the <e, c> and the lengths of the rests. EC_NOT_FINITE for a query that is not, `consumed`
 * the offset of its first element; EC_BAD_ARGUMENT where an array is too short. */
ec_result ec_lowbit_rests_f32(ec_array queries, int64_t rows, int64_t dimension, ec_array center, double most,
                              void *rests, void *kept);

#endif
