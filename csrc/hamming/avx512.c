/* Bits against bits by vpopcntd, a lane a row: the rows of a block are transposed once, no sum is horizontal, and counts
 * are as wide as scores.
 *
 *     sixteen rows          32 bits of sixteen rows, the next 32, ...
 *     r0: w0 w1 w2 ...      r0 r1 r2 ... r14 r15 | r0 r1 ...
 *     r1: w0 w1 w2 ...  ->  <--- one vector ---->                                                              */
#include "../dot/avx512.h"
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Words of 32 bits of a row. */
EC_INLINE int64_t dwords(int64_t width) { return (width + 3) / 4; }

/* Bytes of a chunk of 64 that lie within the row. */
static __mmask64 chunk_mask(int64_t width, int64_t at) {
    int64_t left = width - at;
    return left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
}

/* As the scalar twin. The panel is padded with empty rows to whole blocks of EC_HAMMING_LANES. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
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

/* Counts of n_queries <= 4 with 64 rows: 4 x 4 accumulators. */
EC_INLINE void count_block(const uint8_t *query, int64_t query_bytes, int n_queries, const uint32_t *panel,
                           int64_t n_rows, int64_t words, int32_t *scores, int64_t scores_stride) {
    __m512i counts_u32x16[4][4];
    for (int q = 0; q < n_queries; q++)
        for (int g = 0; g < 4; g++) counts_u32x16[q][g] = _mm512_setzero_si512();
    for (int64_t j = 0; j < words; j++) {
        __m512i rows_u32x16[4];
        for (int g = 0; g < 4; g++) rows_u32x16[g] = _mm512_load_si512(panel + (g * words + j) * 16);
        for (int q = 0; q < n_queries; q++) {
            __m512i query_u32x16 = _mm512_set1_epi32((int32_t)ec_load_u32(query + q * query_bytes + 4 * j));
            for (int g = 0; g < 4; g++) {
                __m512i differing = _mm512_xor_si512(rows_u32x16[g], query_u32x16);
                counts_u32x16[q][g] = _mm512_add_epi32(counts_u32x16[q][g], _mm512_popcnt_epi32(differing));
            }
        }
    }
    for (int q = 0; q < n_queries; q++)
        for (int g = 0; g < 4; g++) {
            int32_t *out = scores + q * scores_stride + 16 * g;
            if (n_rows >= 64)
                _mm512_storeu_si512(out, counts_u32x16[q][g]);
            else if (n_rows > 16 * g)
                _mm512_mask_storeu_epi32(out, ec_lanes_below(n_rows - 16 * g), counts_u32x16[q][g]);
        }
}

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            int32_t *scores, int64_t scores_stride) {
    int64_t words = dwords(width), query_bytes = ec_words_u1(width) * 8;
    for (int64_t q = 0; q < n_queries; q += 4) {
        const uint8_t *query = (const uint8_t *)prepared + q * query_bytes;
        for (int64_t r = 0; r < n_rows; r += EC_HAMMING_LANES) {
            const uint32_t *rows = (const uint32_t *)panel + r * words;
            int32_t *out = scores + q * scores_stride + r;
#define BLOCK(N) count_block(query, query_bytes, N, rows, n_rows - r, words, out, scores_stride)
            switch (n_queries - q) {
            case 1: BLOCK(1); break;
            case 2: BLOCK(2); break;
            case 3: BLOCK(3); break;
            default: BLOCK(4); break;
            }
#undef BLOCK
        }
    }
}

/* The sums of eight vectors of eight lanes, in order. */
EC_INLINE __m512i sums_u64x8(const __m512i *v) {
    __m512i pairs[4]; /* lane l: part l of the sums of 2 i and 2 i + 1 */
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                                    _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
    __m512i low = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[0], pairs[1], 0x88),
                                   _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xdd));
    __m512i high = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2], pairs[3], 0x88),
                                    _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xdd));
    return _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88), _mm512_shuffle_i64x2(low, high, 0xdd));
}

/* Rows of any width. */
static void long_rows(const uint8_t *query, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                      int32_t *scores) {
    for (int64_t r = 0; r < n_rows; r += 8) {
        const uint8_t *row[8];
        for (int i = 0; i < 8; i++) /* behind the last row, the first of the eight once more */
            row[i] = rows + (r + i < n_rows ? r + i : r) * stride_bytes;
        __m512i counts_u64x8[8];
        for (int i = 0; i < 8; i++) counts_u64x8[i] = _mm512_setzero_si512();
        for (int64_t at = 0; at < width; at += 64) {
            __mmask64 mask = chunk_mask(width, at);
            __m512i chunk = _mm512_maskz_loadu_epi8(mask, query + at);
            for (int i = 0; i < 8; i++) {
                _mm_prefetch((const char *)row[i] + at + EC_BYTES_AHEAD, _MM_HINT_T0);
                __m512i differing = _mm512_xor_si512(chunk, _mm512_maskz_loadu_epi8(mask, row[i] + at));
                counts_u64x8[i] = _mm512_add_epi64(counts_u64x8[i], _mm512_popcnt_epi64(differing));
            }
        }
        int64_t left = n_rows - r;
        __mmask8 mask = left >= 8 ? 0xff : (__mmask8)((1u << left) - 1);
        _mm256_mask_storeu_epi32(scores + r, mask, _mm512_cvtepi64_epi32(sums_u64x8(counts_u64x8)));
    }
}

enum { SHORT_VECTORS = 3, AHEAD = 4096 }; /* 64-bit counts of three vectors fit a byte */

/* Eight rows' vectors of counts below 256 to their sums: counts become bytes, and the bytes of a row neighbours.
 *
 *     c0 0000000 c1 0000000 | ... of r0 .. r7    ->    c0 c1 of r0, of r1, .. of r7 | c2 c3 of r0, ...    ->    sums */
EC_INLINE __m512i sums_of_few(const __m512i *v) {
    const __m512i rows_u8x64 = /* byte b of quadword r: number 16 (b / 2) + 2 r + b % 2 */
        _mm512_add_epi8(_mm512_set1_epi64(0x3130212011100100),
                        _mm512_setr_epi64(0, 0x0202020202020202, 0x0404040404040404, 0x0606060606060606, 0x0808080808080808,
                                          0x0a0a0a0a0a0a0a0a, 0x0c0c0c0c0c0c0c0c, 0x0e0e0e0e0e0e0e0e));
    __m512i pairs[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm512_castps_si512(
            _mm512_shuffle_ps(_mm512_castsi512_ps(v[2 * i]), _mm512_castsi512_ps(v[2 * i + 1]), 0x88));
    const __m512i counts_u8x64 =
        _mm512_packus_epi16(_mm512_packus_epi32(pairs[0], pairs[1]), _mm512_packus_epi32(pairs[2], pairs[3]));
    return _mm512_sad_epu8(_mm512_permutexvar_epi8(rows_u8x64, counts_u8x64), _mm512_setzero_si512());
}

/* Rows of n_vectors vectors, the last of them those bytes of `mask`; the query stays in registers. */
EC_INLINE void short_rows(const int n_vectors, const uint8_t *query, const uint8_t *rows, int64_t stride_bytes,
                          int64_t n_rows, __mmask64 mask, int32_t *scores) {
    __m512i query_u8x64[SHORT_VECTORS];
    for (int j = 0; j < n_vectors; j++)
        query_u8x64[j] = _mm512_maskz_loadu_epi8(j + 1 < n_vectors ? ~(__mmask64)0 : mask, query + 64 * j);
    for (int64_t r = 0; r < n_rows; r += 8, rows += 8 * stride_bytes) {
        const int64_t n = n_rows - r;
        __m512i counts_u64x8[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) { /* behind the last row, the first of the eight once more */
            const uint8_t *row = rows + (i < n ? i : 0) * stride_bytes;
            counts_u64x8[i] = _mm512_setzero_si512();
#pragma GCC unroll 3
            for (int j = 0; j < n_vectors; j++) {
                const __m512i row_u8x64 = j + 1 < n_vectors ? _mm512_loadu_si512(row + 64 * j)
                                                            : _mm512_maskz_loadu_epi8(mask, row + 64 * j);
                _mm_prefetch((const char *)row + 64 * j + AHEAD, _MM_HINT_T0);
                counts_u64x8[i] = _mm512_add_epi64(
                    counts_u64x8[i], _mm512_popcnt_epi64(_mm512_xor_si512(query_u8x64[j], row_u8x64)));
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

void ec_hamming_install_avx512(ec_kernels *table) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
    ec_dot_u1_install_avx512(table);
}
#endif
