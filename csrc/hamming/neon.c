/* Differing bits with NEON: vcnt counts the bits of each byte. Lanes of 64 bits are rows, two a register. */
#include "hamming.h"

#if defined(EC_AARCH64)

enum { BYTES_PER_SUM = 31 }; /* bytes that are added before they are summed up: 31 counts of up to 8 fit a byte */

/* Like the scalar twin. The panel has, for each two rows, word 0 of both, word 1 of both, and so on; it is padded with
 * copies of row 0 to whole EC_HAMMING_LANES. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    int64_t words = ec_words_u1(width);
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_HAMMING_LANES); r++) {
        const uint8_t *row = (const uint8_t *)rows + (r < n_rows ? r : 0) * stride_bytes;
        uint64_t *out = (uint64_t *)panel + r / 2 * 2 * words + r % 2;
        for (int64_t j = 0; j < words; j++) out[2 * j] = ec_row_word(row, width, j);
    }
}

/* The counts of n_queries <= 2 queries with 8 rows. */
EC_INLINE void count_block(const uint64_t *query, int n_queries, const uint64_t *panel, int64_t n_rows, int64_t words,
                           int32_t *scores, int64_t scores_stride) {
    uint64x2_t sums_u64x2[2][4];
    for (int q = 0; q < 2; q++)
        for (int g = 0; g < 4; g++) sums_u64x2[q][g] = vdupq_n_u64(0);
    for (int64_t start = 0; start < words; start += BYTES_PER_SUM) {
        int64_t end = ec_min_i64(start + BYTES_PER_SUM, words);
        uint8x16_t counts_u8x16[2][4];
        for (int q = 0; q < 2; q++)
            for (int g = 0; g < 4; g++) counts_u8x16[q][g] = vdupq_n_u8(0);
        for (int64_t j = start; j < end; j++)
            for (int g = 0; g < 4; g++) {
                uint64x2_t rows_u64x2 = vld1q_u64(panel + (g * words + j) * 2);
                for (int q = 0; q < n_queries; q++) {
                    uint64x2_t differing = veorq_u64(rows_u64x2, vdupq_n_u64(query[q * words + j]));
                    counts_u8x16[q][g] = vaddq_u8(counts_u8x16[q][g], vcntq_u8(vreinterpretq_u8_u64(differing)));
                }
            }
        for (int q = 0; q < n_queries; q++)
            for (int g = 0; g < 4; g++)
                sums_u64x2[q][g] =
                    vaddq_u64(sums_u64x2[q][g], vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(counts_u8x16[q][g]))));
    }
    for (int q = 0; q < n_queries; q++) {
        uint64_t sums[8];
        for (int g = 0; g < 4; g++) vst1q_u64(sums + 2 * g, sums_u64x2[q][g]);
        for (int64_t r = 0; r < 8 && r < n_rows; r++) scores[q * scores_stride + r] = (int32_t)sums[r];
    }
}

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    int64_t words = ec_words_u1(width);
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, (n_queries + 1) / 2);
    for (int64_t q = 0; q < n_queries; q += 2) {
        ec_ahead_step(&soon);
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
    int64_t whole = width / 16 * 16;
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes, *other = query;
        uint32_t count = 0;
        for (int64_t i = 0; i < whole; i += 16)
            count += vaddlvq_u8(vcntq_u8(veorq_u8(vld1q_u8(row + i), vld1q_u8(other + i))));
        for (int64_t i = whole; i < width; i++) count += (uint32_t)ec_count_ones_u64(row[i] ^ other[i]);
        scores[r] = (int32_t)count;
    }
}

EC_SLOTS(hamming, neon) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
}
#endif
