/* Floats to codes in principal directions, with more bits where rows vary more. */
#ifndef EC_CONTRACT_PRINCIPAL_H
#define EC_CONTRACT_PRINCIPAL_H

#include "lowbit.h"
#include "results.h"

/* The map by which rows become codes. Directions go in groups of eight, the first being those in which rows vary most,
 * and each group has a number of bits, which never rises. Plane p has bit p of as many groups as have it, so that a
 * byte is one bit of a group:
 *
 *     bits    3  3  2  1  1
 *     planes  | g0 g1 g2 g3 g4 | g0 g1 g2 | g0 g1 |     a row of 10 bytes
 *
 * Arrays are float32 unless said otherwise. */
typedef struct {
    int64_t dimension, groups;
    ec_array bits;      /* uint8 (groups,), 1 .. 8 */
    ec_array center;    /* (dimension,), or none */
    ec_array panels;    /* (ceil(groups / 8), dimension, 64): directions over their deviations, zeros behind the last */
    ec_array variances; /* (8 * groups,): squared deviations, of rows of length 1 */
    ec_array levels;    /* (30,): those of 1, 2, 3 and 4 bits, each ascending */
    ec_array patterns;  /* uint8 (30,): their bits */
    ec_array thresholds; /* (26,): between the levels of 1, 2, 3 and 4 bits */
    ec_array steps;      /* (4,): the distance of levels of 5, 6, 7 and 8 bits, whose patterns are their numbers */
    ec_array chains; /* (16, 256): the coarse levels of 1 .. 8 bits in chains, see below, then of those without memory;
                        none where each direction is coded by itself, with what is above */
    ec_array chain_steps; /* (16,): the distance of their fine levels */
    ec_array costs;       /* (8 * groups,): what a direction's squared error counts */
} ec_principal_scheme;

/* Chains. A row's directions follow each other from the last to the first, and so do their bits, the first planes'
 * first. Of its bits a direction has up to four coarse ones, and the rest are the number of a fine level. Its level
 * hangs on the four coarse bits before its own, too, its memory:
 *
 *     chains[bits - 1][word] + (fine number + 1/2 - fine levels / 2) * chain_steps[bits - 1]
 *     word = the four bits before | own coarse bits, the latest lowest
 *
 * The directions at the end, which have not four bits before them, take chains[7 + bits]: there the first four bits of
 * a word mean nothing, nor do they with one bit. A coarse level is the sum of a part of the four bits before and of a part of
 * its own, which opposite bits turn round. Bits are those that make the sum of errors least, costs times squared, all together. */

/* Bytes of the planes of a row, and of scratch of each thread for so many rows; -1 for a scheme that does not go together. */
int64_t ec_principal_row_bytes(const ec_principal_scheme *scheme);
int64_t ec_principal_scratch_bytes(const ec_principal_scheme *scheme, int64_t rows);

/* Code rows x: with r = x - center, the levels l nearest to r panels / |r|. `packed` is (rows, row_bytes); `lengths` are
 * |r|, `squares` |x|^2, and `scales` the cosine of r with what the levels stand for, 0 for a row of zeros. Failures are
 * those of ec_lowbit_encode_f32(). */
ec_result ec_principal_encode_f32(const ec_principal_scheme *scheme, int64_t rows, const ec_lowbit_rows *to,
                                  int32_t threads);

/* The squared lengths of what the planes of each row stand for, double (rows,). `values` is (510,): the level of each
 * pattern of 1, 2, .. 8 bits. EC_BAD_ARGUMENT where an array is too short. */
ec_result ec_principal_squares(const ec_principal_scheme *scheme, ec_array values, ec_array packed, int64_t rows,
                               void *squares, int64_t capacity);

/* What queries count at each place of a row, float32 (rows, places): the sum over m < `sources` of
 *
 *     weights[m][place] * turned[source[m][place]]
 *
 * `source` is int32 (sources, places), `weights` float32 of that shape, and `turned` (rows, columns) the queries along
 * the directions. EC_BAD_ARGUMENT where an array is too short, or a source is no column. */
ec_result ec_principal_meet_f32(ec_array source, ec_array weights, int64_t sources, int64_t places, ec_array turned,
                                int64_t rows, int64_t columns, void *met);

#endif
