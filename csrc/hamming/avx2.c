/* Differing bits with AVX2: many queries by look-ups in tables of a query, in panels of nibbles (avx2_nibbles.h), where a
 * lane is a row; one query by counting the bits of plain rows. */
#include "avx2_nibbles.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* ---- tiles ----
 *
 * A nibble of a query chooses a table: in how many bits it differs from each of the sixteen nibbles that a row can have.
 * One vpshufb then compares four bits of 32 rows, and vpaddb counts them. */

#define ONES(n) (((n) & 1) + ((n) >> 1 & 1) + ((n) >> 2 & 1) + ((n) >> 3 & 1))
#define FOUR(q, n) ONES((q) ^ (n)), ONES((q) ^ ((n) + 1)), ONES((q) ^ ((n) + 2)), ONES((q) ^ ((n) + 3))
#define TABLE(q) FOUR(q, 0), FOUR(q, 4), FOUR(q, 8), FOUR(q, 12)
#define BYTE(b) {TABLE((b) >> 4), TABLE((b) & 15)}
#define BYTES_4(b) BYTE(b), BYTE((b) + 1), BYTE((b) + 2), BYTE((b) + 3)
#define BYTES_16(b) BYTES_4(b), BYTES_4((b) + 4), BYTES_4((b) + 8), BYTES_4((b) + 12)
#define BYTES_64(b) BYTES_16(b), BYTES_16((b) + 16), BYTES_16((b) + 32), BYTES_16((b) + 48)

/* The tables of both nibbles of every byte. */
static const uint8_t TABLES[256][32] = {BYTES_64(0), BYTES_64(64), BYTES_64(128), BYTES_64(192)};

enum {
    TILE_QUERIES = 4,           /* by 64 rows: 8 counts, 2 vectors of nibbles, 1 table, 1 look-up: 12 of 16 registers */
    BYTES_PER_SUM = 31,         /* of a row, whose bits a count of 8 bits takes */
    PIECE = 264 * BYTES_PER_SUM /* the most bytes of a row whose bits a count of 16 bits takes */
};

/* Counts of 64 rows in 16 bits: of rows 0 .. 7 and 16 .. 23, 8 .. 15 and 24 .. 31, and the same from row 32 on. */
typedef struct {
    __m256i v_u16x16[4];
} totals;

EC_INLINE __m256i load_table(const uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

EC_INLINE void widen(totals *to, const int first, __m256i low_u8x32, __m256i high_u8x32) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i v_u16x16[4] = {_mm256_unpacklo_epi8(low_u8x32, zero), _mm256_unpackhi_epi8(low_u8x32, zero),
                                 _mm256_unpacklo_epi8(high_u8x32, zero), _mm256_unpackhi_epi8(high_u8x32, zero)};
    for (int i = 0; i < 4; i++) to->v_u16x16[i] = first ? v_u16x16[i] : _mm256_add_epi16(to->v_u16x16[i], v_u16x16[i]);
}

/* Adds to each lane of *counts. With the intrinsics GCC adds look-ups to one another first and has no registers left for
 * all counts. */
EC_INLINE void add_u8x32(__m256i *counts, __m256i ones) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddb %1, %0, %0" : "+x"(*counts) : "x"(ones));
#else
    *counts = _mm256_add_epi8(*counts, ones);
#endif
}

/* Counts `count` <= PIECE bytes of 64 rows for n_queries <= TILE_QUERIES. */
EC_INLINE void count_64(const int n_queries, const uint8_t *query, int64_t query_bytes, const uint8_t *panel,
                        int64_t group_bytes, int64_t count, totals *to) {
    const int64_t n_sums = (count + BYTES_PER_SUM - 1) / BYTES_PER_SUM;
    for (int64_t s = 0; s < n_sums; s++) {
        const uint8_t *end = query + count / n_sums + (s < count % n_sums);
        __m256i low_u8x32[TILE_QUERIES], high_u8x32[TILE_QUERIES];
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) low_u8x32[q] = high_u8x32[q] = _mm256_setzero_si256();
        for (; query < end; query++, panel += EC_NIBBLE_BYTES) {
#pragma GCC unroll 2
            for (int n = 0; n < 2; n++) {
                const uint8_t *at = panel + n * EC_NIBBLE_ROWS;
                const __m256i first_u8x32 = _mm256_load_si256((const __m256i *)at);
                const __m256i second_u8x32 = _mm256_load_si256((const __m256i *)(at + group_bytes));
#pragma GCC unroll 4
                for (int q = 0; q < n_queries; q++) {
                    const __m256i table = load_table(TABLES[query[q * query_bytes]] + 16 * n);
                    add_u8x32(&low_u8x32[q], _mm256_shuffle_epi8(table, first_u8x32));
                    add_u8x32(&high_u8x32[q], _mm256_shuffle_epi8(table, second_u8x32));
                }
            }
        }
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) widen(&to[q], s == 0, low_u8x32[q], high_u8x32[q]);
    }
}

static EC_NOINLINE void count_64_of_1(const uint8_t *query, int64_t query_bytes, const uint8_t *panel,
                                      int64_t group_bytes, int64_t count, totals *to) {
    count_64(1, query, query_bytes, panel, group_bytes, count, to);
}

static EC_NOINLINE void count_64_of_4(const uint8_t *query, int64_t query_bytes, const uint8_t *panel,
                                      int64_t group_bytes, int64_t count, totals *to) {
    count_64(4, query, query_bytes, panel, group_bytes, count, to);
}

/* Whether one of 64 counts is below the limit. */
EC_INLINE int any_below(const totals *counts, int32_t limit) {
    const __m256i least_u16x16 = _mm256_min_epu16(_mm256_min_epu16(counts->v_u16x16[0], counts->v_u16x16[1]),
                                                  _mm256_min_epu16(counts->v_u16x16[2], counts->v_u16x16[3]));
    if (limit > UINT16_MAX) return 1;
    if (limit <= 0) return 0;
    const __m256i missing_u16x16 = _mm256_subs_epu16(_mm256_set1_epi16((short)limit), least_u16x16);
    return !_mm256_testz_si256(missing_u16x16, missing_u16x16);
}

/* Writes up to 64 counts as scores or, unless `first`, adds them. */
static void put_scores(const totals *counts, const int first, int64_t n_rows, int32_t *scores) {
    int32_t all[EC_NEAR_ROWS], *to = n_rows < EC_NEAR_ROWS ? all : scores;
    if (n_rows < EC_NEAR_ROWS && !first) memcpy(all, scores, (size_t)n_rows * 4);
    for (int i = 0; i < 4; i++) {
        const __m256i low_i32x8 = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(counts->v_u16x16[i]));
        const __m256i high_i32x8 = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(counts->v_u16x16[i], 1));
        __m256i *low = (__m256i *)(to + i / 2 * 32 + i % 2 * 8), *high = low + 2;
        _mm256_storeu_si256(low, first ? low_i32x8 : _mm256_add_epi32(low_i32x8, _mm256_loadu_si256(low)));
        _mm256_storeu_si256(high, first ? high_i32x8 : _mm256_add_epi32(high_i32x8, _mm256_loadu_si256(high)));
    }
    if (n_rows < EC_NEAR_ROWS) memcpy(scores, all, (size_t)n_rows * 4);
}

static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    ec_pack_nibbles_avx2(rows, stride_bytes, n_rows, width, panel);
}

/* Rows of more than a piece have all their scores written, piece by piece. */
static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    const int64_t query_bytes = 8 * ec_words_u1(width), group_bytes = width * EC_NIBBLE_BYTES;
    const int64_t n_calls = n_queries / TILE_QUERIES + n_queries % TILE_QUERIES;
    const uint8_t *query = prepared;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, ec_round_up(n_rows, EC_NEAR_ROWS) / EC_NEAR_ROWS * n_calls);
    memset(near, 0, (size_t)n_queries);
    for (int64_t r = 0; r < n_rows; r += EC_NEAR_ROWS)
        for (int64_t q = 0, n; q < n_queries; q += n) {
            n = n_queries - q >= TILE_QUERIES ? TILE_QUERIES : 1;
            ec_ahead_step(&soon);
            for (int64_t at = 0; at < width; at += PIECE) {
                const uint8_t *rows = (const uint8_t *)panel + 2 * r * width + at * EC_NIBBLE_BYTES;
                totals counts[TILE_QUERIES];
                (n == 1 ? count_64_of_1 : count_64_of_4)(query + q * query_bytes + at, query_bytes, rows, group_bytes,
                                                         ec_min_i64(width - at, PIECE), counts);
                for (int64_t i = 0; i < n; i++) {
                    const int some = width > PIECE || any_below(&counts[i], limits[q + i]);
                    if (EC_LIKELY(!some)) continue;
                    near[q + i] |= (uint8_t)(1 << r / EC_NEAR_ROWS);
                    put_scores(&counts[i], at == 0, n_rows - r, scores + (q + i) * scores_stride + r);
                }
            }
        }
    if (width > PIECE) ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 0, near);
}

/* ---- one query, plain rows ---- */

enum { ROWS_AT_ONCE = 4, LEAST_VECTORS = 32, SUM_BYTES = 32 * BYTES_PER_SUM };

/* The number of set bits of every byte: vpshufb looks up those of each nibble. */
EC_INLINE __m256i count_bytes(__m256i bits_u8x32) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1,
                                            2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(bits_u8x32, nibble));
    __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(bits_u8x32, 4), nibble));
    return _mm256_add_epi8(low, high);
}

/* The bits in which 32 bytes differ. */
EC_INLINE __m256i differing(const uint8_t *a, const uint8_t *b) {
    return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)a), _mm256_loadu_si256((const __m256i *)b));
}

/* Counts of four rows of at least 32 bytes, of which bytes [at, end) are met; `end` is the end of the row or a whole
 * number of vectors away. The last vector ends with the row, and bytes that were met before are masked. */
EC_INLINE __m128i count_vectors(const uint8_t *query, const uint8_t *const row[ROWS_AT_ONCE], int64_t at, int64_t end,
                                __m256i last_u8x32) {
    __m256i counts_u8x32[ROWS_AT_ONCE], sums_u64x4[ROWS_AT_ONCE];
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++) counts_u8x32[i] = _mm256_setzero_si256();
    for (; at + 32 <= end; at += 32)
#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AT_ONCE; i++)
            counts_u8x32[i] = _mm256_add_epi8(counts_u8x32[i], count_bytes(differing(row[i] + at, query + at)));
    if (at < end)
#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AT_ONCE; i++) {
            const __m256i rest_u8x32 = _mm256_and_si256(differing(row[i] + end - 32, query + end - 32), last_u8x32);
            counts_u8x32[i] = _mm256_add_epi8(counts_u8x32[i], count_bytes(rest_u8x32));
        }
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++) sums_u64x4[i] = _mm256_sad_epu8(counts_u8x32[i], _mm256_setzero_si256());
    /* sums below 2^16, in lanes of 64 bits: those of four rows side by side, then the sum of the lanes */
    const __m256i even_u16x16 = _mm256_or_si256(sums_u64x4[0], _mm256_slli_epi64(sums_u64x4[2], 32));
    const __m256i odd_u16x16 = _mm256_or_si256(sums_u64x4[1], _mm256_slli_epi64(sums_u64x4[3], 32));
    const __m256i all_u16x16 = _mm256_or_si256(even_u16x16, _mm256_slli_epi64(odd_u16x16, 16));
    const __m128i half_u16x8 =
        _mm_add_epi16(_mm256_castsi256_si128(all_u16x16), _mm256_extracti128_si256(all_u16x16, 1));
    return _mm_cvtepu16_epi32(_mm_add_epi16(half_u16x8, _mm_unpackhi_epi64(half_u16x8, half_u16x8)));
}

static void rows_of_vectors(const uint8_t *query, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows,
                            int64_t width, int32_t *scores) {
    uint8_t mask[32];
    for (int i = 0; i < 32; i++) mask[i] = i >= 32 - width % 32 ? 0xff : 0;
    const __m256i last_u8x32 = _mm256_loadu_si256((const __m256i *)mask);
    for (int64_t r = 0; r < n_rows; r += ROWS_AT_ONCE) {
        const int64_t n = ec_min_i64(n_rows - r, ROWS_AT_ONCE);
        const uint8_t *row[ROWS_AT_ONCE], *ahead = rows + r * stride_bytes + EC_BYTES_AHEAD;
        for (int64_t i = 0; i < ROWS_AT_ONCE; i++) row[i] = rows + (r + ec_min_i64(i, n - 1)) * stride_bytes;
        for (int64_t i = 0; i < ROWS_AT_ONCE * width; i += 64) _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        __m128i counts_i32x4 = count_vectors(query, row, 0, ec_min_i64(width, SUM_BYTES), last_u8x32);
        for (int64_t at = SUM_BYTES; at < width; at += SUM_BYTES)
            counts_i32x4 = _mm_add_epi32(counts_i32x4,
                                         count_vectors(query, row, at, ec_min_i64(width, at + SUM_BYTES), last_u8x32));
        int32_t counts[ROWS_AT_ONCE];
        _mm_storeu_si128((__m128i *)counts, counts_i32x4);
        memcpy(scores + r, counts, (size_t)n * 4);
    }
}

/* The last word of a row of at least eight bytes ends with the row; what was met before is shifted out. */
EC_INLINE int64_t count_words(const uint8_t *query, const uint8_t *row, int64_t width) {
    int64_t count = 0, at = 0;
    for (; at + 8 <= width; at += 8) count += _mm_popcnt_u64(ec_load_u64(row + at) ^ ec_load_u64(query + at));
    if (at == width) return count;
    if (width < 8) return _mm_popcnt_u64(ec_load_tail_u64(row, width) ^ ec_load_tail_u64(query, width));
    const uint64_t last = ec_load_u64(row + width - 8) ^ ec_load_u64(query + width - 8);
    return count + _mm_popcnt_u64(last >> 8 * (at + 8 - width));
}

static void hamming_u1_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores) {
    if (width >= LEAST_VECTORS) {
        rows_of_vectors(query, rows, stride_bytes, n_rows, width, scores);
        return;
    }
    for (int64_t r = 0; r < n_rows; r++)
        scores[r] = (int32_t)count_words(query, (const uint8_t *)rows + r * stride_bytes, width);
}

EC_TARGET_END

EC_SLOTS(hamming, avx2) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
}
#endif
