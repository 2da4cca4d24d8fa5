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

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256i sums_i32x8 = _mm256_setzero_si256();
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16) {
            const __m256i codes_i16x16 = _mm256_cvtepi8_epi16(_mm_xor_si128(flip_u8x16, load_16(row + d, 16)));
            sums_i32x8 = _mm256_add_epi32(sums_i32x8, _mm256_madd_epi16(codes_i16x16, codes_i16x16));
        }
        int32_t sum = sum_i32x8(sums_i32x8);
        for (; d < dimension; d++) {
            const int32_t code = (int8_t)(row[d] ^ flip);
            sum += code * code;
        }
        sums[r] = sum;
    }
}

/* Vector i holds the partial sums 4 i .. 4 i + 3. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        __m256d p0_f64x4 = _mm256_setzero_pd(), p1_f64x4 = p0_f64x4, p2_f64x4 = p0_f64x4, p3_f64x4 = p0_f64x4;
        for (int64_t d = 0; d < dimension; d += 16) {
            float x[16] = {0};
            memcpy(x, row + d * 4, (size_t)(dimension - d >= 16 ? 64 : (dimension - d) * 4));
            const __m256d a_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps(x)), b_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps(x + 4));
            const __m256d c_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps(x + 8)),
                          e_f64x4 = _mm256_cvtps_pd(_mm_loadu_ps(x + 12));
            p0_f64x4 = _mm256_fmadd_pd(a_f64x4, a_f64x4, p0_f64x4); /* a square is exact, fused or not */
            p1_f64x4 = _mm256_fmadd_pd(b_f64x4, b_f64x4, p1_f64x4);
            p2_f64x4 = _mm256_fmadd_pd(c_f64x4, c_f64x4, p2_f64x4);
            p3_f64x4 = _mm256_fmadd_pd(e_f64x4, e_f64x4, p3_f64x4);
        }
        double partial[16];
        _mm256_storeu_pd(partial, p0_f64x4);
        _mm256_storeu_pd(partial + 4, p1_f64x4);
        _mm256_storeu_pd(partial + 8, p2_f64x4);
        _mm256_storeu_pd(partial + 12, p3_f64x4);
        sums[r] = ec_halve_f64x16(partial);
    }
}

EC_TARGET_END

EC_SLOTS(dot_i8, avx2);
EC_SLOTS(dot_rows_i8, avx2);
EC_SLOTS(dot_f32, avx2);
EC_SLOTS(dot_rows_f32, avx2);

EC_SLOTS(dot, avx2) {
    ec_dot_by_rows(table);
    ec_slots_dot_i8_avx2(table);
    ec_slots_dot_rows_i8_avx2(table);
    ec_slots_dot_f32_avx2(table);
    ec_slots_dot_rows_f32_avx2(table);
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
    table->sumsq_f32 = sumsq_f32;
}
#endif
