/* Shared by the tiers that count differing bits, and by those of dot_u1: words of rows of bits, and which rows are
 * near. */
#ifndef EC_HAMMING_H
#define EC_HAMMING_H

#include "../dot/dot.h"

/* Rows of a panel are padded with zeros to a multiple of EC_HAMMING_LANES. A tile reports for every EC_NEAR_ROWS rows
 * together whether one of them is near, that is, has a score within the query's limit. */
enum { EC_HAMMING_LANES = 64, EC_NEAR_ROWS = 64 };

/* How many bytes ahead of its read a row is prefetched: about as many as arrive during one latency of memory. Eight or
 * sixteen rows read side by side are no stream that the hardware prefetches well. Prefetching past the end of the rows
 * is harmless. */
enum { EC_BYTES_AHEAD = 6144 };

/* 64-bit words of a row of `width` bytes. */
EC_INLINE int64_t ec_words_u1(int64_t width) { return (width + 7) / 8; }

/* Rows of at most this many bytes are packed by bytes, not spread. */
enum { EC_HAMMING_SHORT = 32 };

/* How many bytes a byte of a row becomes where the tier in force spreads rows, and queries, over bytes. */
EC_INLINE int64_t ec_hamming_spread(int64_t width) {
    return width > EC_HAMMING_SHORT ? ec_active.hamming_u1_spread : 1;
}

/* Bytes of a panel's rows once they are spread, of n_rows in whole 64s, and of what goes with them. */
EC_INLINE int64_t ec_spread_bytes(int64_t n_rows, int64_t row_bytes, int64_t spread) {
    return spread > 1 ? 64 + ec_round_up(n_rows, 64) * (ec_round_up(row_bytes * spread, 64) + 64) : 0;
}

/* The slots of planes, in avx512_planes.c, which the tier takes along. */
void ec_slots_hamming_planes_avx512(struct ec_kernels *table);

/* The slot hamming_u1_prepare of the tiers whose tiles take plain words. */
void ec_hamming_u1_prepare_words(const void *queries, int64_t n_queries, int64_t width, void *prepared);

/* Sets near[q] after a tile that has written all scores: bit g is set where one of the rows 64 g .. 64 g + 63 has a
 * score below limits[q] or, if `above`, above it. */
EC_INLINE void ec_find_near(const int32_t *scores, int64_t scores_stride, int64_t n_queries, int64_t n_rows,
                            const int32_t *limits, const int above, uint8_t *near) {
    for (int64_t q = 0; q < n_queries; q++, scores += scores_stride) {
        unsigned bits = 0;
        for (int64_t r = 0; r < n_rows; r += EC_NEAR_ROWS) {
            const int32_t *some = scores + r, limit = limits[q];
            const int64_t n = ec_min_i64(n_rows - r, EC_NEAR_ROWS);
            int any = 0;
            for (int64_t i = 0; i < n; i++) any |= above ? some[i] > limit : some[i] < limit;
            bits |= (unsigned)any << r / EC_NEAR_ROWS;
        }
        near[q] = (uint8_t)bits;
    }
}

/* The last word of a row, of which n bytes are left; the bytes behind them are 0. */
EC_INLINE uint64_t ec_load_tail_u64(const uint8_t *p, int64_t n) {
    uint64_t x = 0;
    memcpy(&x, p, (size_t)n);
    return x;
}

/* Word j of a row of `width` bytes; the bytes behind the row's end are 0. */
EC_INLINE uint64_t ec_row_word(const uint8_t *row, int64_t width, int64_t j) {
    int64_t left = width - 8 * j;
    return left >= 8 ? ec_load_u64(row + 8 * j) : ec_load_tail_u64(row + 8 * j, left);
}

#endif
