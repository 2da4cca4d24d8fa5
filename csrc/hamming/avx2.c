/* Differing bits with AVX2: vpshufb looks up the number of bits of each nibble in a register of sixteen. Lanes of 64
 * bits are rows. */
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum { BYTES_PER_SUM = 31 }; /* bytes that are added before they are summed up: 31 counts of up to 8 fit a byte */

/* The number of set bits of every byte. */
EC_INLINE __m256i count_bytes(__m256i bits_u8x32) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1,
                                            2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(bits_u8x32, nibble));
    __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(bits_u8x32, 4), nibble));
    return _mm256_add_epi8(low, high);
}

/* Like the scalar twin. The panel has, for each four rows, word 0 of all four, word 1 of all four, and so on; it is
 * padded with copies of row 0 to whole EC_HAMMING_LANES. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    int64_t words = ec_words_u1(width), whole = width / 8;
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_HAMMING_LANES); r += 4) {
        uint64_t *out = (uint64_t *)panel + r * words;
        for (int64_t i = 0; i < 4; i++) {
            const uint8_t *row = (const uint8_t *)rows + (r + i < n_rows ? r + i : 0) * stride_bytes;
            for (int64_t j = 0; j < whole; j++) out[4 * j + i] = ec_load_u64(row + 8 * j);
            if (whole < words) out[4 * whole + i] = ec_row_word(row, width, whole);
        }
    }
}

/* The counts of n_queries <= 2 queries with 8 rows. */
EC_INLINE void count_block(const uint64_t *query, int n_queries, const uint64_t *panel, int64_t n_rows, int64_t words,
                           int32_t *scores, int64_t scores_stride) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i sums_u64x4[2][2] = {{zero, zero}, {zero, zero}};
    for (int64_t start = 0; start < words; start += BYTES_PER_SUM) {
        int64_t end = ec_min_i64(start + BYTES_PER_SUM, words);
        __m256i counts_u8x32[2][2] = {{zero, zero}, {zero, zero}};
        for (int64_t j = start; j < end; j++)
            for (int g = 0; g < 2; g++) {
                __m256i rows_u64x4 = _mm256_loadu_si256((const __m256i *)(panel + (g * words + j) * 4));
                for (int q = 0; q < n_queries; q++) {
                    __m256i query_u64x4 = _mm256_set1_epi64x((int64_t)query[q * words + j]);
                    counts_u8x32[q][g] =
                        _mm256_add_epi8(counts_u8x32[q][g], count_bytes(_mm256_xor_si256(rows_u64x4, query_u64x4)));
                }
            }
        for (int q = 0; q < n_queries; q++)
            for (int g = 0; g < 2; g++)
                sums_u64x4[q][g] = _mm256_add_epi64(sums_u64x4[q][g], _mm256_sad_epu8(counts_u8x32[q][g], zero));
    }
    for (int q = 0; q < n_queries; q++) {
        uint64_t sums[8];
        _mm256_storeu_si256((__m256i *)sums, sums_u64x4[q][0]);
        _mm256_storeu_si256((__m256i *)(sums + 4), sums_u64x4[q][1]);
        for (int64_t r = 0; r < 8 && r < n_rows; r++) scores[q * scores_stride + r] = (int32_t)sums[r];
    }
}

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near) {
    int64_t words = ec_words_u1(width);
    for (int64_t q = 0; q < n_queries; q += 2) {
        const uint64_t *query = (const uint64_t *)prepared + q * words;
        for (int64_t r = 0; r < n_rows; r += 8) {
            const uint64_t *rows = (const uint64_t *)panel + r * words;
            int32_t *out = scores + q * scores_stride + r;
            if (n_queries - q == 1)
                count_block(query, 1, rows, n_rows - r, words, out, scores_stride);
            else
                count_block(query, 2, rows, n_rows - r, words, out, scores_stride);
        }
    }
    ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 0, near);
}

static void hamming_u1_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores) {
    int64_t words = ec_words_u1(width), whole = width / 8;
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        int64_t count = 0;
        for (int64_t j = 0; j < whole; j++)
            count += _mm_popcnt_u64(ec_load_u64(row + 8 * j) ^ ec_load_u64((const uint8_t *)query + 8 * j));
        if (whole < words) count += _mm_popcnt_u64(ec_row_word(row, width, whole) ^ ec_row_word(query, width, whole));
        scores[r] = (int32_t)count;
    }
}

EC_TARGET_END

EC_SLOTS(hamming, avx2) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
}
#endif
