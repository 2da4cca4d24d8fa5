/* The AVX2 dots: sums and sums of squares of rows here, and the slots of all files avx2*.c. */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* sum_i8: vpsadbw adds up unsigned bytes, so 128 is added to each code, and 128 times their number subtracted at the
 * end. */
static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(flip ^ 0x80));
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256i sums_u64x4 = _mm256_setzero_si256();
        int64_t d = 0;
        for (; d + 32 <= dimension; d += 32) {
            const __m256i codes_u8x32 = _mm256_xor_si256(flip_u8x32, _mm256_loadu_si256((const __m256i *)(row + d)));
            sums_u64x4 = _mm256_add_epi64(sums_u64x4, _mm256_sad_epu8(codes_u8x32, _mm256_setzero_si256()));
        }
        int32_t sum = sum_i32x8(sums_u64x4) - 128 * (int32_t)d; /* the upper half of each 64-bit sum is 0 */
        for (; d < dimension; d++) sum += (int8_t)(row[d] ^ flip);
        sums[r] = sum;
    }
}

enum { CHAINS = 4 }; /* of dependent additions, side by side */

EC_INLINE void add_squares_i8(const uint8_t *codes, __m128i flip_u8x16, __m256i *sums_i32x8) {
    const __m256i codes_i16x16 = _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_16(codes, 16)));
    *sums_i32x8 = _mm256_add_epi32(*sums_i32x8, _mm256_madd_epi16(codes_i16x16, codes_i16x16));
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256i sums_i32x8[CHAINS];
        int64_t d = 0;
        for (int i = 0; i < CHAINS; i++) sums_i32x8[i] = _mm256_setzero_si256();
        for (; d + 16 * CHAINS <= dimension; d += 16 * CHAINS)
#pragma GCC unroll 4
            for (int i = 0; i < CHAINS; i++) add_squares_i8(row + d + 16 * i, flip_u8x16, &sums_i32x8[i]);
        for (; d + 16 <= dimension; d += 16) add_squares_i8(row + d, flip_u8x16, &sums_i32x8[0]);
        for (int i = 1; i < CHAINS; i++) sums_i32x8[0] = _mm256_add_epi32(sums_i32x8[0], sums_i32x8[i]);
        int32_t sum = sum_i32x8(sums_i32x8[0]);
        for (; d < dimension; d++) {
            const int32_t code = (int8_t)(row[d] ^ flip);
            sum += code * code;
        }
        sums[r] = sum;
    }
}

/* Two rows at a time, because the sums of one are chains of dependent additions. Behind the last row it is repeated. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    const int64_t whole = dimension / 16 * 16, left = dimension - whole;
    for (int64_t r = 0; r < n_rows; r += 2) {
        const int64_t n = ec_min_i64(n_rows - r, 2);
        const uint8_t *row[2] = {(const uint8_t *)rows + r * stride_bytes,
                                 (const uint8_t *)rows + (r + n - 1) * stride_bytes};
        const __m256d zero = _mm256_setzero_pd();
        __m256d partial_f64x4[2][4] = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
        for (int64_t d = 0; d < whole; d += 16)
#pragma GCC unroll 2
            for (int i = 0; i < 2; i++) add_squares_f32(row[i] + d * 4, partial_f64x4[i]);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++)
            if (left) add_last_squares_f32(row[i] + whole * 4, left, partial_f64x4[i]);
        for (int64_t i = 0; i < n; i++) {
            double partial[16];
            for (int v = 0; v < 4; v++) _mm256_storeu_pd(partial + 4 * v, partial_f64x4[i][v]);
            sums[r + i] = ec_halve_f64x16(partial);
        }
    }
}

EC_TARGET_END

EC_SLOTS(dot_i8, avx2);
EC_SLOTS(dot_rows_i8, avx2);
EC_SLOTS(dot_one_i8, avx2);
EC_SLOTS(dot_rough, avx2);
EC_SLOTS(dot_f32, avx2);
EC_SLOTS(dot_rows_f32, avx2);

EC_SLOTS(dot, avx2) {
    ec_dot_by_rows(table);
    ec_slots_dot_i8_avx2(table);
    ec_slots_dot_rows_i8_avx2(table);
    ec_slots_dot_one_i8_avx2(table);
    ec_slots_dot_rough_avx2(table);
    ec_slots_dot_f32_avx2(table);
    ec_slots_dot_rows_f32_avx2(table);
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->sumsq_f32 = sumsq_f32;
}
#endif
