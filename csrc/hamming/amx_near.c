/* Tiles of dots of rows of bytes with whole 16s of queries, and the filter behind them. In a row of sums a lane is a
 * query, so that the best of many rows of all 16 queries costs an instruction a row; only where it is within a limit are
 * sums transposed to scores. */
#include "amx_near.h"

#if defined(EC_HAS_AMX)
EC_TARGET_AVX512

/* Dots above these are near, one a query. */
EC_INLINE __m512i limits_of_dots(const int32_t *limits, int32_t bits) {
    const __m512i limits_i32x16 = _mm512_loadu_si512(limits);
    if (bits == 0) return limits_i32x16;
    /* (bits - dot) / 2 < limit; limits beyond 0 .. bits + 1 say no more than these, and might overflow */
    const __m512i within_i32x16 =
        _mm512_min_epi32(_mm512_max_epi32(limits_i32x16, _mm512_setzero_si512()), _mm512_set1_epi32(bits + 1));
    return _mm512_sub_epi32(_mm512_set1_epi32(bits), _mm512_add_epi32(within_i32x16, within_i32x16));
}

/* The scores of up to 64 rows for the queries of a group whose bits are set. */
static EC_NOINLINE void put_scores(const int32_t sums[][EC_TILE], int64_t n_rows, unsigned queries, int32_t bits,
                                   int32_t *scores, int64_t scores_stride) {
    for (int64_t r = 0; r < n_rows; r += EC_TILE) {
        const __mmask16 there = ec_lanes_below(n_rows - r);
        __m512i of_query[EC_TILE];
        for (int i = 0; i < EC_TILE; i++) of_query[i] = _mm512_load_si512(sums[r + i]);
        ec_transpose_u32x16(of_query);
        for (unsigned left = queries; left != 0; left &= left - 1) {
            const int q = ec_trailing_zeros_u64(left);
            const __m512i differing_i32x16 =
                _mm512_srli_epi32(_mm512_sub_epi32(_mm512_set1_epi32(bits), of_query[q]), 1);
            _mm512_mask_storeu_epi32(scores + q * scores_stride + r, there, bits ? differing_i32x16 : of_query[q]);
        }
    }
}

/* A bit for each of 16 queries that is near one of n_rows rows. */
EC_INLINE unsigned near_queries(const int32_t sums[][EC_TILE], int64_t n_rows, __m512i limits_i32x16) {
    __m512i most_i32x16 = _mm512_load_si512(sums[0]), others_i32x16 = most_i32x16;
    int64_t r = 0;
    for (; r + 1 < n_rows; r += 2) {
        most_i32x16 = _mm512_max_epi32(most_i32x16, _mm512_load_si512(sums[r]));
        others_i32x16 = _mm512_max_epi32(others_i32x16, _mm512_load_si512(sums[r + 1]));
    }
    if (r < n_rows) most_i32x16 = _mm512_max_epi32(most_i32x16, _mm512_load_si512(sums[r]));
    return _mm512_cmpgt_epi32_mask(_mm512_max_epi32(most_i32x16, others_i32x16), limits_i32x16);
}

void ec_amx_near(const ec_amx_panel *panel, int64_t n_rows, int64_t row_bytes, const uint8_t *queries,
                 int64_t query_bytes, int64_t n_queries, int32_t bits, const int32_t *limits, int32_t *scores,
                 int64_t scores_stride, uint8_t *near) {
    _Alignas(64) ec_amx_table sums;
    ec_tiles tiles;
    memset(near, 0, (size_t)n_queries);
    ec_tiles_begin(&tiles);
    for (int64_t q = 0; q < n_queries; q += 2 * EC_TILE)
        for (int64_t r = 0; r < n_rows; r += EC_AMX_ROWS) {
            const uint8_t *first = queries + q * query_bytes, *second = first + EC_TILE * query_bytes;
            const ec_amx_task task = {.rows = panel->bytes + r * panel->stride,
                                      .row_stride = panel->stride,
                                      .n_rows = ec_min_i64(n_rows - r, EC_AMX_ROWS),
                                      .queries = {first, second},
                                      .word_bytes = {EC_TILE_BYTES, EC_TILE_BYTES},
                                      .n_groups = n_queries - q > EC_TILE ? 2 : 1,
                                      .n_steps = ec_amx_steps(row_bytes)};
            ec_amx_sums(&tiles, &task, sums);
            for (int g = 0; g < task.n_groups; g++) {
                const int64_t of_group = q + g * EC_TILE;
                const __m512i limits_i32x16 = limits_of_dots(limits + of_group, bits);
                for (int64_t i = 0; i < task.n_rows; i += EC_NEAR_ROWS) {
                    const int64_t n = ec_min_i64(task.n_rows - i, EC_NEAR_ROWS);
                    const int32_t (*of_rows)[EC_TILE] = (const int32_t (*)[EC_TILE])sums[g][i];
                    const unsigned some = near_queries(of_rows, n, limits_i32x16);
                    if (EC_LIKELY(some == 0)) continue;
                    for (int j = 0; j < EC_TILE; j++)
                        near[of_group + j] |= (uint8_t)((some >> j & 1) << (r + i) / EC_NEAR_ROWS);
                    put_scores(of_rows, n, some, bits, scores + of_group * scores_stride + r + i, scores_stride);
                }
            }
        }
    ec_tiles_end(&tiles);
}

EC_TARGET_END
#else
typedef int ec_hamming_amx_near_is_not_built;
#endif
