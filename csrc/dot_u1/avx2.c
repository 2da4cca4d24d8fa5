/* Dots by tables with AVX2: vpshufb makes 32 look-ups an instruction, in panels of nibbles (hamming/avx2_nibbles.h),
 * where a lane is a row. The table of a nibble stands in both halves of a register. Many queries meet the same panels
 * in another way: see avx2_words.h. */
#include "avx2_words.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    TILE_QUERIES = 2, /* by 64 rows: 8 sums, 2 vectors of nibbles, 1 table, 1 look-up: 12 of 16 registers */
    PIECE = 128,      /* bytes of a row whose look-ups are added in 16 bits: 256 of at most 255 */
    GROUP = EC_NEAR_ROWS,
    GROUP_BYTES = 2 * GROUP /* of a panel, for each byte of a group of rows */
};

/* Sums of the look-ups of 32 rows. Those of two neighbouring rows are added as one 16-bit number, low + 256 * high, and
 * those of `high` once more by themselves, from which both follow. */
typedef struct {
    __m256i both_u16x16, odd_u16x16;
} sums_of_32;

EC_INLINE __m256i load_table(const uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

/* Adds to each lane of *sums. With the intrinsics GCC adds look-ups to one another first and has no registers left. */
EC_INLINE void add_u16x16(__m256i *sums, __m256i more) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddw %1, %0, %0" : "+x"(*sums) : "x"(more));
#else
    *sums = _mm256_add_epi16(*sums, more);
#endif
}

EC_INLINE void add_look_ups(sums_of_32 *sums, __m256i table, __m256i nibbles_u8x32) {
    const __m256i found_u8x32 = _mm256_shuffle_epi8(table, nibbles_u8x32);
    add_u16x16(&sums->both_u16x16, found_u8x32);
    add_u16x16(&sums->odd_u16x16, _mm256_srli_epi16(found_u8x32, 8));
}

/* Adds to the totals, in the order of rows, the sums of `count` bytes, less the bias of their look-ups; or sets the
 * totals if `first`. */
EC_INLINE void add_sums(int32_t totals[EC_NIBBLE_ROWS], int first, sums_of_32 sums, int64_t count) {
    const __m256i bias_i32x8 = _mm256_set1_epi32((int32_t)(256 * count));
    const __m256i even_u16x16 = _mm256_sub_epi16(sums.both_u16x16, _mm256_slli_epi16(sums.odd_u16x16, 8));
    const __m256i v_u16x16[2] = {_mm256_unpacklo_epi16(even_u16x16, sums.odd_u16x16),
                                 _mm256_unpackhi_epi16(even_u16x16, sums.odd_u16x16)};
    for (int i = 0; i < 4; i++) { /* rows 0 .. 7 and 16 .. 23 are in the first vector */
        const __m256i from_u16x16 = v_u16x16[i % 2];
        const __m128i eight_u16x8 =
            i < 2 ? _mm256_castsi256_si128(from_u16x16) : _mm256_extracti128_si256(from_u16x16, 1);
        const __m256i some_i32x8 = _mm256_sub_epi32(_mm256_cvtepu16_epi32(eight_u16x8), bias_i32x8);
        __m256i *to = (__m256i *)(void *)(totals + 8 * i);
        _mm256_storeu_si256(to, first ? some_i32x8 : _mm256_add_epi32(some_i32x8, _mm256_loadu_si256(to)));
    }
}

/* Adds to the totals of a group of rows the look-ups of `count` <= PIECE bytes for n_queries <= TILE_QUERIES. */
EC_INLINE void look_up(const int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *panel,
                       int64_t half_bytes, int64_t count, int first, int32_t totals[][GROUP]) {
    const sums_of_32 zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    sums_of_32 low[TILE_QUERIES] = {zero, zero}, high[TILE_QUERIES] = {zero, zero};
    for (int64_t i = 0; i < 2 * count; i++) {
        const __m256i low_u8x32 = _mm256_load_si256((const __m256i *)(panel + i * EC_NIBBLE_ROWS));
        const __m256i high_u8x32 = _mm256_load_si256((const __m256i *)(panel + half_bytes + i * EC_NIBBLE_ROWS));
#pragma GCC unroll 2
        for (int q = 0; q < n_queries; q++) {
            const __m256i table = load_table(tables + q * query_bytes + 16 * i);
            add_look_ups(&low[q], table, low_u8x32);
            add_look_ups(&high[q], table, high_u8x32);
        }
    }
#pragma GCC unroll 2
    for (int q = 0; q < n_queries; q++) {
        add_sums(totals[q], first, low[q], count);
        add_sums(totals[q] + EC_NIBBLE_ROWS, first, high[q], count);
    }
}

static EC_NOINLINE void look_up_1(const uint8_t *tables, int64_t query_bytes, const uint8_t *panel, int64_t half_bytes,
                                  int64_t count, int first, int32_t totals[][GROUP]) {
    look_up(1, tables, query_bytes, panel, half_bytes, count, first, totals);
}

static EC_NOINLINE void look_up_2(const uint8_t *tables, int64_t query_bytes, const uint8_t *panel, int64_t half_bytes,
                                  int64_t count, int first, int32_t totals[][GROUP]) {
    look_up(2, tables, query_bytes, panel, half_bytes, count, first, totals);
}

/* Multiplies totals by what entries of the first tables count, of bytes that are met twice. */
EC_INLINE void count_more(int32_t *totals, int count) {
    for (int i = 0; i < count; i++) totals[i] *= 1 << EC_DOT_U1_TWICE_SHIFT;
}

static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    ec_pack_nibbles_avx2(rows, stride_bytes, n_rows, width, panel);
}

static void dot_u1_prepare(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared) {
    if (n_queries >= EC_WORDS_QUERIES)
        ec_prepare_words_avx2(tables, n_queries, width, twice, prepared);
    else
        memcpy(prepared, tables, (size_t)(n_queries * 64 * ec_quads_u1(twice + width)));
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    const int64_t query_bytes = 64 * ec_quads_u1(twice + width), half_bytes = width * EC_NIBBLE_BYTES;
    if (ec_are_words(prepared, n_queries, query_bytes)) {
        ec_tile_words_avx2(prepared, n_queries, panel, n_rows, width, twice, limits, scores, scores_stride, near, ahead,
                           ahead_bytes);
        return;
    }
    const int64_t n_calls = ec_round_up(n_queries, TILE_QUERIES) / TILE_QUERIES;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, ec_round_up(n_rows, GROUP) / GROUP * n_calls);
    memset(near, 0, (size_t)n_queries);
    for (int64_t r = 0; r < n_rows; r += GROUP)
        for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
            ec_ahead_step(&soon);
            const int64_t n = ec_min_i64(n_queries - q, TILE_QUERIES), some = ec_min_i64(n_rows - r, GROUP);
            const uint8_t *tables = (const uint8_t *)prepared + q * query_bytes;
            const uint8_t *group = (const uint8_t *)panel + r * 2 * width;
            int32_t totals[TILE_QUERIES][GROUP];
            if (twice) {
                (n == 1 ? look_up_1 : look_up_2)(tables, query_bytes, group, half_bytes, twice, 1, totals);
                for (int64_t i = 0; i < n; i++) count_more(totals[i], GROUP);
            }
            tables += 32 * twice;
            for (int64_t at = 0; at < width; at += PIECE)
                (n == 1 ? look_up_1 : look_up_2)(tables + 32 * at, query_bytes, group + at * EC_NIBBLE_BYTES,
                                                 half_bytes, ec_min_i64(width - at, PIECE), !twice && at == 0, totals);
            for (int64_t i = 0; i < n; i++) {
                if (EC_LIKELY(!ec_any_above_avx2(totals[i], limits[q + i]))) continue;
                near[q + i] |= (uint8_t)(1 << r / GROUP);
                memcpy(scores + (q + i) * scores_stride + r, totals[i], (size_t)some * sizeof *scores);
            }
        }
}

/* ---- one query, plain rows ---- */

/* Adds the look-ups of `count` <= PIECE bytes of 32 rows; prefetches, unless `ahead` is NULL, as many bytes from there on
 * as the rows have here. */
EC_INLINE sums_of_32 look_up_32(const uint8_t *tables, const uint8_t *panel, int64_t count, const uint8_t *ahead) {
    sums_of_32 sums[2] = {{_mm256_setzero_si256(), _mm256_setzero_si256()},
                          {_mm256_setzero_si256(), _mm256_setzero_si256()}};
    for (int64_t i = 0; i < count; i++, tables += 32, panel += EC_NIBBLE_BYTES) {
        if (ahead && i % 2 == 0) _mm_prefetch((const char *)ahead + EC_NIBBLE_ROWS * i, _MM_HINT_T0);
        add_look_ups(&sums[0], load_table(tables), _mm256_load_si256((const __m256i *)panel));
        add_look_ups(&sums[1], load_table(tables + 16), _mm256_load_si256((const __m256i *)(panel + EC_NIBBLE_ROWS)));
    }
    sums[0].both_u16x16 = _mm256_add_epi16(sums[0].both_u16x16, sums[1].both_u16x16);
    sums[0].odd_u16x16 = _mm256_add_epi16(sums[0].odd_u16x16, sums[1].odd_u16x16);
    return sums[0];
}

/* 32 rows are packed, a piece of their bytes at a time, into room that stays in the first-level cache together with the
 * rows, those to come and the tables. */
static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int64_t twice, int32_t *scores) {
    uint8_t wide[PIECE * EC_NIBBLE_BYTES + EC_NIBBLE_ROWS];
    uint8_t *panel = wide + (-(uintptr_t)wide & (EC_NIBBLE_ROWS - 1));
    for (int64_t r = 0; r < n_rows; r += EC_NIBBLE_ROWS) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes, *ahead = row + EC_BYTES_AHEAD;
        int32_t totals[EC_NIBBLE_ROWS];
        for (int64_t at = 0; at < width; at += PIECE) {
            const int64_t count = ec_min_i64(width - at, PIECE);
            ec_pack_32_nibbles_avx2(row + at, stride_bytes, n_rows - r, row + at, count, panel);
            if (twice && at == 0) { /* no more than a piece */
                add_sums(totals, 1, look_up_32(tables, panel, twice, NULL), twice);
                count_more(totals, EC_NIBBLE_ROWS);
            }
            add_sums(totals, !twice && at == 0,
                     look_up_32((const uint8_t *)tables + 32 * (twice + at), panel, count, ahead + EC_NIBBLE_ROWS * at),
                     count);
        }
        memcpy(scores + r, totals, (size_t)ec_min_i64(n_rows - r, EC_NIBBLE_ROWS) * sizeof *scores);
    }
}

EC_TARGET_END

EC_SLOTS(dot_u1, avx2) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_prepare = dot_u1_prepare;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
    table->dot_u1_wide = 2;
}
#endif
