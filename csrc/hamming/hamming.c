/* The form in which queries and rows meet, and the sizes of scratch that are enough for it. */
#include "planes.h"

/* Rows that are worth sorting the queries' dimensions for. */
enum { MANY_ROWS = 4096 };

int32_t ec_hamming_u1_by_planes(int64_t n_queries, int64_t n_rows, int64_t width) {
    const int64_t queries = ec_active.planes_u1_queries;
    return queries && n_queries >= queries && n_rows >= MANY_ROWS && width >= ec_active.planes_u1_width;
}

/* Two bytes a byte of a row, because AVX2 packs nibbles; or whole words. */
int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width) {
    return ec_round_up(n_rows, EC_HAMMING_LANES) * ec_max_i64(ec_words_u1(width) * 8, 2 * width) +
           ec_spread_bytes(n_rows, ec_words_u1(width) * 8, ec_hamming_spread(width));
}

int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width) {
    return n_queries * ec_words_u1(width) * 8 * ec_hamming_spread(width);
}

int64_t ec_planes_u1_panel_bytes(int64_t width) { return ec_planes_bytes(width); }

int64_t ec_planes_u1_prepared_bytes(int64_t n_queries, int64_t width) {
    return (n_queries + EC_FOUR - 1) / EC_FOUR * ec_planes_four_bytes(width);
}
