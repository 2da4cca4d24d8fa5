/* int8 dots by tiles: see amx_tiles.h. Rows are copied to the panel, each at the beginning of a cache line; that takes
 * a third of the instructions of a transpose. The sums, a row of 16 queries each, are transposed to scores instead. */
#include "amx_tiles.h"

#if defined(EC_HAS_AMX)
EC_TARGET_AVX512

enum {
    HEAD = 64,         /* bytes of a batch of prepared queries before the first: how many they are */
    PAIR = 32,         /* queries of two tiles */
    TILE_QUERIES = 48, /* of a call, or a multiple: three tiles, and whole blocks of the kernels of AVX-512 */
    /* Up to so many queries four rows at a time (avx512_few_i8.c) take no more cycles: by count, at 1,024 dimensions, 8 a
     * query and row, where a tile takes 16, the copy 20 and, where lengths are wanted, a pass of its own for them 40. */
    MOST_QUERIES = 8
};

EC_INLINE int64_t query_bytes(int64_t dimension) { return ec_round_up(dimension, 64); }

/* A head | groups of 16 queries, four codes of each side by side; the last group has as many as there are left. */
static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    memcpy(prepared, &n_queries, sizeof n_queries);
    for (int64_t q = 0; q < n_queries; q += EC_TILE) {
        const int64_t n = ec_min_i64(n_queries - q, EC_TILE);
        const uint8_t *some = (const uint8_t *)queries + q * dimension;
        uint8_t *out = (uint8_t *)prepared + HEAD + q * query_bytes(dimension);
        for (int64_t d = 0; d < dimension; d += 64, out += 64 * n) {
            const __mmask64 valid = ec_bytes_below(dimension - d);
            __m512i codes_i8x64[EC_TILE];
            for (int64_t i = 0; i < EC_TILE; i++)
                codes_i8x64[i] =
                    i < n ? _mm512_maskz_loadu_epi8(valid, some + i * dimension + d) : _mm512_setzero_si512();
            ec_transpose_u32x16(codes_i8x64);
            for (int64_t w = 0; w < 16; w++)
                _mm512_mask_storeu_epi32(out + w * 4 * n, ec_lanes_below(n), codes_i8x64[w]);
        }
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const __m512i flip_u8x64 = _mm512_set1_epi8((char)flip);
    const int64_t whole = dimension / 64 * 64, stride = ec_amx_stride(dimension);
    const __mmask64 last = ec_bytes_below(dimension - whole);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        uint8_t *out = (uint8_t *)panel + r * stride;
        for (int64_t d = 0; d < whole; d += 64) {
            _mm_prefetch((const char *)row + d + EC_ROWS_AHEAD, _MM_HINT_T0);
            _mm512_store_si512(out + d, _mm512_xor_si512(flip_u8x64, _mm512_loadu_si512(row + d)));
        }
        if (whole < dimension)
            _mm512_store_si512(out + whole, _mm512_xor_si512(flip_u8x64, _mm512_maskz_loadu_epi8(last, row + whole)));
    }
}

/* The scores of queries from `from` to `until` - 1 of a group of 16, of up to 16 rows; `scores` begins with those of
 * query `from`. */
EC_INLINE void put_scores(const int32_t sums[EC_TILE][EC_TILE], int64_t n_rows, int64_t from, int64_t until,
                          int32_t *scores, int64_t scores_stride) {
    const __mmask16 there = ec_lanes_below(n_rows);
    __m512i of_query[EC_TILE];
    for (int r = 0; r < EC_TILE; r++) of_query[r] = _mm512_load_si512(sums[r]);
    ec_transpose_u32x16(of_query);
    if (EC_LIKELY(from == 0 && until == EC_TILE && n_rows >= EC_TILE))
#pragma GCC unroll 16
        for (int q = 0; q < EC_TILE; q++)
            _mm512_storeu_si512(scores + q * scores_stride, of_query[q]); /* `from` is 0 */
    else
        for (int64_t q = from; q < until; q++)
            _mm512_mask_storeu_epi32(scores + (q - from) * scores_stride, there, of_query[q]);
}

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t end_query = first_query + n_queries, first_group = first_query / EC_TILE * EC_TILE;
    const int64_t n_pairs = (end_query - first_group + PAIR - 1) / PAIR;
    const int64_t n_steps = ec_amx_steps(dimension), stride = ec_amx_stride(dimension);
    ec_ahead hint = ec_ahead_of(ahead, ahead_bytes, n_pairs * ec_amx_shares(n_rows, n_steps) + 1);
    _Alignas(64) ec_amx_table sums;
    ec_tiles tiles;
    int64_t n_prepared;
    memcpy(&n_prepared, prepared, sizeof n_prepared);
    ec_tiles_begin(&tiles);
    for (int64_t group = first_group; group < end_query; group += PAIR)
        for (int64_t r = 0; r < n_rows; r += EC_AMX_ROWS) {
            ec_amx_task task = {.rows = (const uint8_t *)panel + r * stride,
                                .row_stride = stride,
                                .n_rows = ec_min_i64(n_rows - r, EC_AMX_ROWS),
                                .n_steps = n_steps,
                                .ahead = &hint};
            for (int64_t q = group; q < ec_min_i64(end_query, group + PAIR); q += EC_TILE) {
                task.queries[task.n_groups] = (const uint8_t *)prepared + HEAD + q * query_bytes(dimension);
                task.word_bytes[task.n_groups++] = 4 * ec_min_i64(n_prepared - q, EC_TILE);
            }
            ec_amx_sums(&tiles, &task, sums);
            for (int g = 0; g < task.n_groups; g++) {
                const int64_t q = group + g * EC_TILE, from = ec_max_i64(first_query - q, 0);
                for (int64_t i = 0; i < task.n_rows; i += EC_TILE)
                    put_scores((const int32_t (*)[EC_TILE])sums[g][i], task.n_rows - i, from,
                               ec_min_i64(end_query - q, EC_TILE),
                               scores + (q + from - first_query) * scores_stride + r + i, scores_stride);
            }
        }
    ec_tiles_end(&tiles);
}

EC_TARGET_END

EC_SLOTS(dot, amx) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->most_few_i8 = MOST_QUERIES;
    table->tile_queries = TILE_QUERIES;
}
#else
typedef int ec_dot_amx_is_not_built;
#endif
