/* Differing bits of one query and plain rows with AVX2. */
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    ROWS_AT_ONCE = 4,
    LEAST_VECTORS = 32,
    USUAL_WIDTH = 128,
    SUM_BYTES = 32 * 31 /* of a row: each lane of eight bits counts those of 31 bytes */
};

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

/* Counts of bytes [at, end) of a row of at least 32, in lanes of 64 bits; `end` is the end of the row or a whole number
 * of vectors away. The last vector ends with the row, and bytes that were met before are masked. */
EC_INLINE __m256i count_row(const uint8_t *query, const uint8_t *row, int64_t at, int64_t end, __m256i last_u8x32) {
    __m256i counts_u8x32 = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (; at + 32 <= end; at += 32)
        counts_u8x32 = _mm256_add_epi8(counts_u8x32, count_bytes(differing(row + at, query + at)));
    if (at < end) {
        const __m256i rest_u8x32 = _mm256_and_si256(differing(row + end - 32, query + end - 32), last_u8x32);
        counts_u8x32 = _mm256_add_epi8(counts_u8x32, count_bytes(rest_u8x32));
    }
    return _mm256_sad_epu8(counts_u8x32, _mm256_setzero_si256());
}

/* The counts of four rows, of which one lies `step` bytes behind the other. */
EC_INLINE __m128i count_four(const uint8_t *query, const uint8_t *rows, int64_t step, int64_t at, int64_t end,
                             __m256i last_u8x32) {
    __m256i sums_u64x4[ROWS_AT_ONCE];
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++) sums_u64x4[i] = count_row(query, rows + i * step, at, end, last_u8x32);
    /* sums below 2^16, in lanes of 64 bits: those of four rows side by side, then the sum of the lanes */
    const __m256i even_u16x16 = _mm256_or_si256(sums_u64x4[0], _mm256_slli_epi64(sums_u64x4[2], 32));
    const __m256i odd_u16x16 = _mm256_or_si256(sums_u64x4[1], _mm256_slli_epi64(sums_u64x4[3], 32));
    const __m256i all_u16x16 = _mm256_or_si256(even_u16x16, _mm256_slli_epi64(odd_u16x16, 16));
    const __m128i half_u16x8 =
        _mm_add_epi16(_mm256_castsi256_si128(all_u16x16), _mm256_extracti128_si256(all_u16x16, 1));
    return _mm_cvtepu16_epi32(_mm_add_epi16(half_u16x8, _mm_unpackhi_epi64(half_u16x8, half_u16x8)));
}

/* Writes the counts of rows, four at a time and then one by one. `width` is known where this is inlined for rows of the
 * usual length, whose query then stays in registers. */
EC_INLINE void rows_of_vectors(const uint8_t *query, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows,
                               int64_t width, int32_t *scores) {
    uint8_t mask[32];
    for (int i = 0; i < 32; i++) mask[i] = i >= 32 - width % 32 ? 0xff : 0;
    const __m256i last_u8x32 = _mm256_loadu_si256((const __m256i *)mask);
    for (int64_t r = 0, n; r < n_rows; r += n, rows += n * stride_bytes) {
        n = n_rows - r >= ROWS_AT_ONCE ? ROWS_AT_ONCE : 1;
        const int64_t step = n == 1 ? 0 : stride_bytes;
        for (int64_t i = 0; i < n * width; i += 64) _mm_prefetch((const char *)rows + i + EC_BYTES_AHEAD, _MM_HINT_T0);
        __m128i counts_i32x4 = count_four(query, rows, step, 0, ec_min_i64(width, SUM_BYTES), last_u8x32);
        for (int64_t at = SUM_BYTES; at < width; at += SUM_BYTES)
            counts_i32x4 = _mm_add_epi32(
                counts_i32x4, count_four(query, rows, step, at, ec_min_i64(width, at + SUM_BYTES), last_u8x32));
        if (n == 1)
            scores[r] = _mm_cvtsi128_si32(counts_i32x4);
        else
            _mm_storeu_si128((__m128i *)(void *)(scores + r), counts_i32x4);
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
    if (width == USUAL_WIDTH) {
        rows_of_vectors(query, rows, stride_bytes, n_rows, USUAL_WIDTH, scores);
        return;
    }
    if (width >= LEAST_VECTORS) {
        rows_of_vectors(query, rows, stride_bytes, n_rows, width, scores);
        return;
    }
    for (int64_t r = 0; r < n_rows; r++)
        scores[r] = (int32_t)count_words(query, (const uint8_t *)rows + r * stride_bytes, width);
}

EC_TARGET_END

EC_SLOTS(hamming_rows, avx2) { table->hamming_u1_rows = hamming_u1_rows; }
#endif
