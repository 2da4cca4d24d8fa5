/* Bytes of scratch, to be 64-byte aligned, for a panel of n_rows <= EC_DOT_BLOCK and for prepared queries: enough for
 * the tier in force. The scan asks for them, and tests do by way of testing.h. */
#ifndef EC_CONTRACT_SCRATCH_H
#define EC_CONTRACT_SCRATCH_H

#include "results.h"

int64_t ec_dot_i8_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_i8_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_f32_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_f32_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_block_rows(int64_t row_bytes); /* rows of a panel that suits the caches: 64, 128, 192 or 256 */

int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width);
int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width);

/* Whether so many queries and rows, of `width` bytes, are faster as planes of bits; and the same sizes of these: of a
 * panel of 256 rows, and of prepared queries, which are whole fours. */
int32_t ec_hamming_u1_by_planes(int64_t n_queries, int64_t n_rows, int64_t width);
int64_t ec_planes_u1_panel_bytes(int64_t width);
int64_t ec_planes_u1_prepared_bytes(int64_t n_queries, int64_t width);

int64_t ec_dot_u1_panel_bytes(int64_t n_rows, int64_t width);

#endif
