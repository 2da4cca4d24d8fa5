/* Differing bits with AVX-512: vpopcntd and vpopcntb count the bits of each lane, and a lane is a row. Blocks of rows
 * are transposed once, so that no query needs a sum across lanes. Lanes of 32 bits hold the count of a row of any
 * length:
 *
 *     sixteen rows          32 bits of sixteen rows, the next 32, ...
 *     r0: w0 w1 w2 ...      r0 r1 r2 ... r14 r15 | r0 r1 ...
 *     r1: w0 w1 w2 ...  ->  <--- one vector ----> */
#include "../dot/avx512_verbs.h"
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* The number of 32-bit words of a row. */
EC_INLINE int64_t dwords(int64_t width) { return (width + 3) / 4; }

/* A bit for each of the 64 bytes from `at` on that lies within the row. */
static __mmask64 chunk_mask(int64_t width, int64_t at) {
    return width - at >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (width - at)) - 1;
}

/* Packs rows for count_long(), padded with empty rows to whole EC_HAMMING_LANES. */
static void pack_long(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    const uint8_t *first = rows;
    int64_t words = dwords(width), padded = ec_round_up(n_rows, EC_HAMMING_LANES);
    for (int64_t r = 0; r < padded; r += 16) {
        uint32_t *out = (uint32_t *)panel + r * words;
        for (int64_t at = 0; at < width; at += 64) {
            __mmask64 mask = chunk_mask(width, at);
            __m512i columns[16];
            for (int i = 0; i < 16; i++) {
                _mm_prefetch((const char *)first + (r + i) * stride_bytes + at + EC_BYTES_AHEAD, _MM_HINT_T0);
                columns[i] = r + i < n_rows ? _mm512_maskz_loadu_epi8(mask, first + (r + i) * stride_bytes + at)
                                            : _mm512_setzero_si512();
            }
            ec_transpose_u32x16(columns);
            int64_t left = words - at / 4;
            for (int j = 0; j < 16 && j < left; j++) _mm512_store_si512(out + (at / 4 + j) * 16, columns[j]);
        }
    }
}

/* One call of a counting function: some queries against the rows of the panel from number `first`, 64 i, on. */
typedef struct {
    const uint8_t *queries, *panel;
    int64_t query_bytes, first, n_rows, width;
    const int32_t *limits;
    int32_t *scores;
    int64_t scores_stride;
    uint8_t *near;
} task;

/* Notes that the groups of rows whose bits are set, counted from `first` on, are near query q. */
EC_INLINE void note_near(const task *t, int q, unsigned groups) {
    t->near[q] |= (uint8_t)(groups << t->first / EC_NEAR_ROWS);
}

/* The lanes of a vector that are rows, if n rows are left; n may be negative. */
EC_INLINE __mmask16 rows_there(int64_t n) { return n > 0 ? ec_lanes_below(n) : 0; }

/* Adds to each lane of *counts. With the intrinsics some compilers copy every accumulator in every step. */
EC_INLINE void add_u32x16(__m512i *counts, __m512i ones) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddd %1, %0, %0" : "+v"(*counts) : "v"(ones));
#else
    *counts = _mm512_add_epi32(*counts, ones);
#endif
}

EC_INLINE void add_u8x64(__m512i *counts, __m512i ones) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddb %1, %0, %0" : "+v"(*counts) : "v"(ones));
#else
    *counts = _mm512_add_epi8(*counts, ones);
#endif
}

/* The counts of n_queries <= 4 queries with 64 rows, in 4 x 4 accumulators. The scores of a query are written only
 * where one is below its limit. */
EC_INLINE void count_long(const task *t, const int n_queries) {
    const int64_t words = dwords(t->width);
    const uint32_t *panel = (const uint32_t *)t->panel;
    __m512i counts_u32x16[4][4];
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) counts_u32x16[q][g] = _mm512_setzero_si512();
    for (int64_t j = 0; j < words; j++) {
        __m512i rows_u32x16[4];
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) rows_u32x16[g] = _mm512_load_si512(panel + (g * words + j) * 16);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) {
            const uint8_t *query = t->queries + q * t->query_bytes + 4 * j;
            const __m512i query_u32x16 = _mm512_set1_epi32((int32_t)ec_load_u32(query));
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++)
                add_u32x16(&counts_u32x16[q][g], _mm512_popcnt_epi32(_mm512_xor_si512(rows_u32x16[g], query_u32x16)));
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512i *counts = counts_u32x16[q], limit_u32x16 = _mm512_set1_epi32(t->limits[q]);
        const __m512i least_u32x16 =
            _mm512_min_epi32(_mm512_min_epi32(counts[0], counts[1]), _mm512_min_epi32(counts[2], counts[3]));
        if (EC_LIKELY(_mm512_cmplt_epi32_mask(least_u32x16, limit_u32x16) == 0)) continue;
        int32_t *scores = t->scores + q * t->scores_stride;
        unsigned any = 0;
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) {
            const __mmask16 there = rows_there(t->n_rows - 16 * g);
            any |= _mm512_mask_cmplt_epi32_mask(there, counts[g], limit_u32x16);
            if (EC_LIKELY(t->n_rows >= 64))
                _mm512_storeu_si512(scores + 16 * g, counts[g]);
            else
                _mm512_mask_storeu_epi32(scores + 16 * g, there, counts[g]);
        }
        note_near(t, q, any != 0);
    }
}

/* ---- rows of at most 32 bytes: lanes of eight bits ----
 *
 *     sixty-four rows       byte 0 of sixty-four rows, byte 1, ...
 *     r0: b0 b1 b2 ...      r0 r1 r2 ... r63 | r0 r1 ...
 *     r1: b0 b1 b2 ...  ->  <-- one vector -->
 *
 * In rows of 32 bytes, 256 differing bits wrap to a count of 0, which the first bytes tell from no differing bit. Most
 * counts are compared in registers only; the scores of a query are written where one is below its limit. */
enum { SHORT_BYTES = EC_HAMMING_SHORT };

/* Sixteen bytes of a row; those outside the mask are 0. */
EC_INLINE __m128i load_16(const uint8_t *row, __mmask16 mask) { return _mm_maskz_loadu_epi8(mask, row); }

/* Sixteen bytes of the rows i, 16 + i, 32 + i and 48 + i; behind row number `last` the last one is repeated. */
EC_INLINE __m512i load_four(const uint8_t *rows, int64_t stride_bytes, int64_t i, int64_t last, __mmask16 mask) {
    __m128i v_u8x16[4];
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) {
        const uint8_t *row = rows + ec_min_i64(i + 16 * l, last) * stride_bytes;
        _mm_prefetch((const char *)row + EC_BYTES_AHEAD, _MM_HINT_T0);
        v_u8x16[l] = load_16(row, mask);
    }
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(v_u8x16[0]), v_u8x16[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(v_u8x16[2]), v_u8x16[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* The 16 x 16 transpose of bytes within each quarter, in place. A round interleaves vectors i and i + 8, which rotates
 * the eight bits of a byte's address (row, column) by one; four rounds exchange row and column. */
EC_INLINE void transpose_u8x16(__m512i v[16]) {
#pragma GCC unroll 4
    for (int turn = 0; turn < 4; turn++) {
        __m512i mixed[16];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            mixed[2 * i] = _mm512_unpacklo_epi8(v[i], v[i + 8]);
            mixed[2 * i + 1] = _mm512_unpackhi_epi8(v[i], v[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = mixed[i];
    }
}

static void pack_short(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    for (int64_t r = 0; r < n_rows; r += EC_HAMMING_LANES)
        for (int64_t at = 0; at < width; at += 16) {
            const __mmask16 mask = ec_lanes_below(width - at);
            uint8_t *out = (uint8_t *)panel + r * width + at * EC_HAMMING_LANES;
            __m512i columns_u8x64[16];
            for (int64_t i = 0; i < 16; i++)
                columns_u8x64[i] =
                    load_four((const uint8_t *)rows + r * stride_bytes + at, stride_bytes, i, n_rows - r - 1, mask);
            transpose_u8x16(columns_u8x64);
            for (int64_t i = 0; i < 16 && at + i < width; i++) _mm512_store_si512(out + 64 * i, columns_u8x64[i]);
        }
}

/* The rows of one call of count_short(). */
enum { SHORT_ROWS = 256, GROUPS = SHORT_ROWS / EC_NEAR_ROWS };

/* Writes one query's counts with up to 256 rows as scores, because one of them seems to be below the limit. Returns a
 * bit for each group of rows that has such a count. */
EC_INLINE unsigned store_near(const __m512i counts_u8x64[GROUPS], uint8_t query, const uint8_t *panel,
                              int64_t group_bytes, int64_t n_rows, int32_t limit, int32_t *scores) {
    const __m512i limit_u8x64 = _mm512_set1_epi8((char)(limit < 255 ? limit : 255));
    const __m512i query_u8x64 = _mm512_set1_epi8((char)query);
    unsigned near = 0;
#pragma GCC unroll 4
    for (int g = 0; g < GROUPS; g++, n_rows -= 64, scores += 64) {
        if (n_rows <= 0) break;
        const __m512i first_u8x64 = _mm512_load_si512(panel + g * group_bytes);
        const __mmask64 all_differ = _mm512_testn_epi8_mask(counts_u8x64[g], counts_u8x64[g]) &
                                     _mm512_cmpneq_epu8_mask(first_u8x64, query_u8x64);
        __mmask64 below = limit > 255 ? ~(__mmask64)0 : _mm512_cmplt_epu8_mask(counts_u8x64[g], limit_u8x64);
        if (limit <= 256) below &= ~all_differ;
        near |= (unsigned)((below & ec_bytes_below(n_rows)) != 0) << g;
        const __m128i quarters_u8x16[4] = {
            _mm512_castsi512_si128(counts_u8x64[g]), _mm512_extracti32x4_epi32(counts_u8x64[g], 1),
            _mm512_extracti32x4_epi32(counts_u8x64[g], 2), _mm512_extracti32x4_epi32(counts_u8x64[g], 3)};
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const __m512i counts_u32x16 = _mm512_mask_mov_epi32(
                _mm512_cvtepu8_epi32(quarters_u8x16[i]), (__mmask16)(all_differ >> 16 * i), _mm512_set1_epi32(256));
            if (EC_LIKELY(n_rows >= 64))
                _mm512_storeu_si512(scores + 16 * i, counts_u32x16);
            else
                _mm512_mask_storeu_epi32(scores + 16 * i, rows_there(n_rows - 16 * i), counts_u32x16);
        }
    }
    return near;
}

/* The counts of n_queries <= 4 queries with up to 256 rows, in 4 x 4 accumulators; fewer rows leave some unused. */
EC_INLINE void count_short(const task *t, const int n_queries) {
    const int64_t query_bytes = t->query_bytes, width = t->width;
    const uint8_t *groups[GROUPS];
    __m512i counts_u8x64[4][GROUPS];
#pragma GCC unroll 4
    for (int g = 0; g < GROUPS; g++) groups[g] = t->panel + (g * 64 < t->n_rows ? g * 64 * width : 0);
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
        for (int g = 0; g < GROUPS; g++) counts_u8x64[q][g] = _mm512_setzero_si512();
    for (int64_t j = 0; j < width; j++) {
        __m512i rows_u8x64[GROUPS];
#pragma GCC unroll 4
        for (int g = 0; g < GROUPS; g++) rows_u8x64[g] = _mm512_load_si512(groups[g] + 64 * j);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) {
            const __m512i query_u8x64 = _mm512_set1_epi8((char)t->queries[q * query_bytes + j]);
#pragma GCC unroll 4
            for (int g = 0; g < GROUPS; g++)
                add_u8x64(&counts_u8x64[q][g], _mm512_popcnt_epi8(_mm512_xor_si512(rows_u8x64[g], query_u8x64)));
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512i *counts = counts_u8x64[q];
        const __m512i least_u8x64 =
            _mm512_min_epu8(_mm512_min_epu8(counts[0], counts[1]), _mm512_min_epu8(counts[2], counts[3]));
        const int32_t limit = t->limits[q];
        const __m512i limit_u8x64 = _mm512_set1_epi8((char)(limit < 255 ? limit : 255));
        if (EC_LIKELY(_mm512_cmplt_epu8_mask(least_u8x64, limit_u8x64) == 0 && limit <= 255)) continue;
        note_near(t, q,
                  store_near(counts, t->queries[q * query_bytes], t->panel, 64 * width, t->n_rows, limit,
                             t->scores + q * t->scores_stride));
    }
}

/* ---- rows of any length ---- */

/* Like the scalar twin: rows of at most 32 bytes are packed by bytes, longer ones by words of 32 bits. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    (width <= SHORT_BYTES ? pack_short : pack_long)(rows, stride_bytes, n_rows, width, panel);
}

/* Functions of their own, so that compilers keep all registers for the loops. */
static EC_NOINLINE void count_short_4(const task *t) { count_short(t, 4); }
static EC_NOINLINE void count_short_1(const task *t) { count_short(t, 1); }
static EC_NOINLINE void count_long_4(const task *t) { count_long(t, 4); }
static EC_NOINLINE void count_long_1(const task *t) { count_long(t, 1); }

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    const int is_short = width <= SHORT_BYTES;
    const int64_t query_bytes = ec_words_u1(width) * 8, row_bytes = is_short ? width : 4 * dwords(width);
    const int64_t step = is_short ? SHORT_ROWS : EC_NEAR_ROWS;
    void (*const four)(const task *) = is_short ? count_short_4 : count_long_4;
    void (*const one)(const task *) = is_short ? count_short_1 : count_long_1;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, ec_round_up(n_rows, step) / step * (n_queries / 4 + n_queries % 4));
    memset(near, 0, (size_t)n_queries);
    for (int64_t q = 0, n; q < n_queries; q += n) {
        n = n_queries - q >= 4 ? 4 : 1;
        for (int64_t r = 0; r < n_rows; r += step) {
            ec_ahead_step(&soon);
            const task t = {(const uint8_t *)prepared + q * query_bytes,
                            (const uint8_t *)panel + r * row_bytes,
                            query_bytes,
                            r,
                            n_rows - r,
                            width,
                            limits + q,
                            scores + q * scores_stride + r,
                            scores_stride,
                            near + q};
            (n == 4 ? four : one)(&t);
        }
    }
}

/* ---- one query, plain rows ----
 * The processor runs far enough ahead of so little work: asked for in advance, mapped rows come at half the rate. */

/* The sums of the eight lanes of each of eight vectors, in order. */
EC_INLINE __m512i sums_u64x8(const __m512i *v) {
    __m512i pairs[4]; /* lane l: part l of the sums of vectors 2 i and 2 i + 1 */
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                                    _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
    __m512i low = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[0], pairs[1], 0x88),
                                   _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xdd));
    __m512i high = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2], pairs[3], 0x88),
                                    _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xdd));
    return _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88), _mm512_shuffle_i64x2(low, high, 0xdd));
}

/* One query against rows of any width, eight at a time. */
static void long_rows(const uint8_t *query, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                      int32_t *scores) {
    for (int64_t r = 0; r < n_rows; r += 8) {
        const uint8_t *row[8];
        for (int i = 0; i < 8; i++) /* behind the last row the first of the eight is repeated */
            row[i] = rows + (r + i < n_rows ? r + i : r) * stride_bytes;
        __m512i counts_u64x8[8];
        for (int i = 0; i < 8; i++) counts_u64x8[i] = _mm512_setzero_si512();
        for (int64_t at = 0; at < width; at += 64) {
            __mmask64 mask = chunk_mask(width, at);
            __m512i chunk = _mm512_maskz_loadu_epi8(mask, query + at);
            for (int i = 0; i < 8; i++) {
                __m512i differing = _mm512_xor_si512(chunk, _mm512_maskz_loadu_epi8(mask, row[i] + at));
                counts_u64x8[i] = _mm512_add_epi64(counts_u64x8[i], _mm512_popcnt_epi64(differing));
            }
        }
        int64_t left = n_rows - r;
        __mmask8 mask = left >= 8 ? 0xff : (__mmask8)((1u << left) - 1);
        _mm256_mask_storeu_epi32(scores + r, mask, _mm512_cvtepi64_epi32(sums_u64x8(counts_u64x8)));
    }
}

enum { SHORT_VECTORS = 3 }; /* the counts of 64 bits of three vectors, 192 in all, fit a byte */

/* The sums of eight vectors of counts below 256. The counts are narrowed to bytes, and the bytes of a row brought
 * together:
 *
 *     c0 0000000 c1 0000000 | ... of r0 .. r7    ->    c0 c1 of r0, of r1, .. of r7 | c2 c3 of r0, ...    ->    sums */
EC_INLINE __m512i sums_of_few(const __m512i *v) {
    const __m512i rows_u8x64 = /* byte b of 64-bit lane r: number 16 (b / 2) + 2 r + b % 2 */
        _mm512_add_epi8(_mm512_set1_epi64(0x3130212011100100),
                        _mm512_setr_epi64(0, 0x0202020202020202, 0x0404040404040404, 0x0606060606060606,
                                          0x0808080808080808, 0x0a0a0a0a0a0a0a0a, 0x0c0c0c0c0c0c0c0c,
                                          0x0e0e0e0e0e0e0e0e));
    __m512i pairs[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm512_castps_si512(
            _mm512_shuffle_ps(_mm512_castsi512_ps(v[2 * i]), _mm512_castsi512_ps(v[2 * i + 1]), 0x88));
    const __m512i counts_u8x64 =
        _mm512_packus_epi16(_mm512_packus_epi32(pairs[0], pairs[1]), _mm512_packus_epi32(pairs[2], pairs[3]));
    return _mm512_sad_epu8(_mm512_permutexvar_epi8(rows_u8x64, counts_u8x64), _mm512_setzero_si512());
}

/* One query against rows of n_vectors vectors, of which the last has the bytes of `mask`; the query stays in
 * registers. */
EC_INLINE void short_rows(const int n_vectors, const uint8_t *query, const uint8_t *rows, int64_t stride_bytes,
                          int64_t n_rows, __mmask64 mask, int32_t *scores) {
    __m512i query_u8x64[SHORT_VECTORS];
    for (int j = 0; j < n_vectors; j++)
        query_u8x64[j] = _mm512_maskz_loadu_epi8(j + 1 < n_vectors ? ~(__mmask64)0 : mask, query + 64 * j);
    for (int64_t r = 0; r < n_rows; r += 8, rows += 8 * stride_bytes) {
        const int64_t n = n_rows - r;
        __m512i counts_u64x8[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) { /* behind the last row the first of the eight is repeated */
            const uint8_t *row = rows + (i < n ? i : 0) * stride_bytes;
            counts_u64x8[i] = _mm512_setzero_si512();
#pragma GCC unroll 3
            for (int j = 0; j < n_vectors; j++) {
                const __m512i row_u8x64 =
                    j + 1 < n_vectors ? _mm512_loadu_si512(row + 64 * j) : _mm512_maskz_loadu_epi8(mask, row + 64 * j);
                counts_u64x8[i] =
                    _mm512_add_epi64(counts_u64x8[i], _mm512_popcnt_epi64(_mm512_xor_si512(query_u8x64[j], row_u8x64)));
            }
        }
        _mm256_mask_storeu_epi32(scores + r, (__mmask8)(n >= 8 ? 0xff : (1u << n) - 1),
                                 _mm512_cvtepi64_epi32(sums_of_few(counts_u64x8)));
    }
}

static void hamming_u1_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores) {
    switch ((width + 63) / 64) {
    case 1: short_rows(1, query, rows, stride_bytes, n_rows, chunk_mask(width, 0), scores); break;
    case 2: short_rows(2, query, rows, stride_bytes, n_rows, chunk_mask(width, 64), scores); break;
    case 3: short_rows(3, query, rows, stride_bytes, n_rows, chunk_mask(width, 128), scores); break;
    default: long_rows(query, rows, stride_bytes, n_rows, width, scores); break;
    }
}

EC_TARGET_END

EC_SLOTS(hamming, avx512) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_prepare = ec_hamming_u1_prepare_words;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
    ec_slots_hamming_planes_avx512(table);
}
#endif
