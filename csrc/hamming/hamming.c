/* The sizes of scratch that are enough for the tier in force. */
#include "planes.h"

/* Whether the tier in force makes planes of rows of `width` bytes. */
static int makes_planes(int64_t width) { return ec_active.hamming_u1_planes && width >= EC_PLANES_LEAST; }

int64_t ec_hamming_u1_block_rows(int64_t width) {
    return makes_planes(width) ? EC_PLANE_ROWS : ec_dot_block_rows(width * ec_hamming_spread(width));
}

/* Planes; or two bytes a byte of a row, because AVX2 packs nibbles; or whole words. */
int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width) {
    if (makes_planes(width)) return ec_planes_bytes(width);
    return ec_round_up(n_rows, EC_HAMMING_LANES) * ec_max_i64(ec_words_u1(width) * 8, 2 * width) +
           ec_spread_bytes(n_rows, ec_words_u1(width) * 8, ec_hamming_spread(width));
}

int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width) {
    if (makes_planes(width)) return (n_queries + EC_FOUR - 1) / EC_FOUR * ec_planes_four_bytes(width);
    return n_queries * ec_words_u1(width) * 8 * ec_hamming_spread(width);
}
