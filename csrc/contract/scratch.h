/* Bytes of scratch, 64-byte aligned, that the kernels of any tier need for a panel of n_rows <= EC_DOT_BLOCK, and for
 * queries. The scan asks for them, and the tests, by testing.h. */
#ifndef EC_CONTRACT_SCRATCH_H
#define EC_CONTRACT_SCRATCH_H

#include "results.h"

int64_t ec_dot_i8_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_i8_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_f32_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_f32_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_block_rows(int64_t row_bytes); /* rows a panel that suits the caches: 64, 128, 192 or 256 */

int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width);
int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width);
int64_t ec_dot_u1_panel_bytes(int64_t n_rows, int64_t width);

#endif
