/* Bits against bits by vpopcntq, a lane a row: the rows of a block are transposed once, and no sum is horizontal.
 *
 *     eight rows            word 0 of eight rows, word 1, ...
 *     r0: w0 w1 w2 ...      r0 r1 r2 r3 r4 r5 r6 r7 | r0 r1 ...
 *     r1: w0 w1 w2 ...  ->  <------ one vector ---->                                                           */
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* Bytes of a chunk of 64 that lie within the row. */
static __mmask64 chunk_mask(int64_t width, int64_t at) {
    int64_t left = width - at;
    return left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
}

/* 8 x 8 words: out[j] = word j of the eight rows. */
EC_INLINE void transpose_u64x8(const __m512i *rows, __m512i *out) {
    __m512i even[4], odd[4]; /* even[i], lane l: word 2 l of rows 2 i and 2 i + 1 */
    for (int i = 0; i < 4; i++) {
        even[i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
        odd[i] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    }
    for (int parity = 0; parity < 2; parity++) {
        const __m512i *t = parity ? odd : even;
        __m512i a = _mm512_shuffle_i64x2(t[0], t[1], 0x88), b = _mm512_shuffle_i64x2(t[2], t[3], 0x88);
        __m512i c = _mm512_shuffle_i64x2(t[0], t[1], 0xdd), d = _mm512_shuffle_i64x2(t[2], t[3], 0xdd);
        out[parity] = _mm512_shuffle_i64x2(a, b, 0x88);
        out[parity + 4] = _mm512_shuffle_i64x2(a, b, 0xdd);
        out[parity + 2] = _mm512_shuffle_i64x2(c, d, 0x88);
        out[parity + 6] = _mm512_shuffle_i64x2(c, d, 0xdd);
    }
}

/* As the scalar twin. The panel is padded with empty rows to whole blocks of EC_HAMMING_LANES. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    const uint8_t *first = rows;
    int64_t words = ec_words_u1(width), padded = ec_round_up(n_rows, EC_HAMMING_LANES);
    for (int64_t r = 0; r < padded; r += 8) {
        uint64_t *out = (uint64_t *)panel + r * words;
        for (int64_t at = 0; at < width; at += 64) {
            __mmask64 mask = chunk_mask(width, at);
            __m512i in[8], columns[8];
            for (int i = 0; i < 8; i++)
                _mm_prefetch((const char *)first + (r + i) * stride_bytes + at + EC_BYTES_AHEAD, _MM_HINT_T0);
            for (int i = 0; i < 8; i++)
                in[i] = r + i < n_rows ? _mm512_maskz_loadu_epi8(mask, first + (r + i) * stride_bytes + at)
                                       : _mm512_setzero_si512();
            transpose_u64x8(in, columns);
            int64_t left = words - at / 8;
            for (int j = 0; j < 8 && j < left; j++) _mm512_store_si512(out + (at / 8 + j) * 8, columns[j]);
        }
    }
}

/* Counts of n_queries <= 4 with 32 rows: 4 x 4 accumulators. */
EC_INLINE void count_block(const uint64_t *query, int n_queries, const uint64_t *panel, int64_t n_rows, int64_t words,
                           int32_t *scores, int64_t scores_stride) {
    __m512i counts_u64x8[4][4];
    for (int q = 0; q < n_queries; q++)
        for (int g = 0; g < 4; g++) counts_u64x8[q][g] = _mm512_setzero_si512();
    for (int64_t j = 0; j < words; j++) {
        __m512i rows_u64x8[4];
        for (int g = 0; g < 4; g++) rows_u64x8[g] = _mm512_load_si512(panel + (g * words + j) * 8);
        for (int q = 0; q < n_queries; q++) {
            __m512i query_u64x8 = _mm512_set1_epi64((int64_t)query[q * words + j]);
            for (int g = 0; g < 4; g++) {
                __m512i differing = _mm512_xor_si512(rows_u64x8[g], query_u64x8);
                counts_u64x8[q][g] = _mm512_add_epi64(counts_u64x8[q][g], _mm512_popcnt_epi64(differing));
            }
        }
    }
    for (int q = 0; q < n_queries; q++)
        for (int h = 0; h < 2; h++) {
            __m512i counts_i32x16 = _mm512_inserti64x4(
                _mm512_castsi256_si512(_mm512_cvtepi64_epi32(counts_u64x8[q][2 * h])),
                _mm512_cvtepi64_epi32(counts_u64x8[q][2 * h + 1]), 1);
            int64_t left = n_rows - 16 * h;
            __mmask16 mask = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
            _mm512_mask_storeu_epi32(scores + q * scores_stride + 16 * h, mask, counts_i32x16);
        }
}

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            int32_t *scores, int64_t scores_stride) {
    int64_t words = ec_words_u1(width), q = 0;
    for (; q < n_queries; q += 4) {
        const uint64_t *query = (const uint64_t *)prepared + q * words;
        for (int64_t r = 0; r < n_rows; r += EC_HAMMING_LANES) {
            const uint64_t *rows = (const uint64_t *)panel + r * words;
            int32_t *out = scores + q * scores_stride + r;
            switch (n_queries - q) {
            case 1: count_block(query, 1, rows, n_rows - r, words, out, scores_stride); break;
            case 2: count_block(query, 2, rows, n_rows - r, words, out, scores_stride); break;
            case 3: count_block(query, 3, rows, n_rows - r, words, out, scores_stride); break;
            default: count_block(query, 4, rows, n_rows - r, words, out, scores_stride); break;
            }
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

static void hamming_u1_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores) {
    for (int64_t r = 0; r < n_rows; r += 8) {
        const uint8_t *row[8];
        for (int i = 0; i < 8; i++) /* behind the last row, the first of the eight once more */
            row[i] = (const uint8_t *)rows + (r + i < n_rows ? r + i : r) * stride_bytes;
        __m512i counts_u64x8[8];
        for (int i = 0; i < 8; i++) counts_u64x8[i] = _mm512_setzero_si512();
        for (int64_t at = 0; at < width; at += 64) {
            __mmask64 mask = chunk_mask(width, at);
            __m512i chunk = _mm512_maskz_loadu_epi8(mask, (const uint8_t *)query + at);
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

EC_TARGET_END

void ec_hamming_install_avx512(ec_kernels *table) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
    ec_dot_u1_install_avx512(table);
}
#endif
