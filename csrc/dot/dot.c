/* The public functions of the family, and the sizes of scratch that are enough for every tier. */
#include "dot.h"

/* Rows are padded to a multiple of 64. int8 has two bytes an element, because tiers without products of int8 widen them,
 * with dimensions padded to one of 4 (a group of vpdpbusd); or one byte, with dimensions padded to one of 64 and a gap
 * (a row of an AMX tile). float32 needs no padding of dimensions, but AVX2 has a gap behind each of its EC_CLASSES. */
int64_t ec_dot_i8_panel_bytes(int64_t n_rows, int64_t dimension) {
    return ec_round_up(n_rows, 64) * ec_max_i64(2 * ec_round_up(dimension, 4), ec_round_up(dimension, 64) + 64);
}

/* Two bytes an element, and room for padding and a correction. */
int64_t ec_dot_i8_prepared_bytes(int64_t n_queries, int64_t dimension) {
    return n_queries * (2 * ec_round_up(dimension, 64) + 128);
}

int64_t ec_dot_f32_panel_bytes(int64_t n_rows, int64_t dimension) {
    return ec_round_up(n_rows, 64) * (dimension + EC_CLASSES) * 4;
}

int64_t ec_dot_f32_prepared_bytes(int64_t n_queries, int64_t dimension) {
    return n_queries * (4 * ec_round_up(dimension, 16) + 64);
}

/* A panel of about 256 KB, a quarter of a second-level cache of 1 MB, which also holds queries, scores and the next
 * rows. */
int64_t ec_dot_block_rows(int64_t row_bytes) {
    int64_t rows = (256 << 10) / (row_bytes < 1 ? 1 : row_bytes) / 64 * 64;
    return rows < 64 ? 64 : rows > EC_DOT_BLOCK ? EC_DOT_BLOCK : rows;
}

int32_t ec_dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        void *scores) {
    if (!ec_dot_valid(1, n_rows, dimension)) return 0;
    ec_active.dot_f32_rows(query, rows, stride_bytes, n_rows, dimension, scores);
    return 1;
}

int32_t ec_sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *sums) {
    if (!ec_dot_valid(1, n_rows, dimension)) return 0;
    ec_active.sumsq_f32(rows, stride_bytes, n_rows, dimension, sums);
    return 1;
}
