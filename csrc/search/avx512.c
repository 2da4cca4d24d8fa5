/* The slots of the scan on AVX-512: element-wise loops by the compiler, filters by mask registers. */
#include "loops.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

static void finish_i32(const ec_finish *f, const int32_t *scores, int64_t n, float *costs) {
    ec_loop_finish_i32(f, scores, n, costs);
}

static void finish_f32(const ec_finish *f, const float *scores, int64_t n, float *costs) {
    ec_loop_finish_f32(f, scores, n, costs);
}

/* Rows i .. i + 15 that there are and that the mask has. */
EC_INLINE __mmask16 rows_at(const uint8_t *mask, int64_t i, int64_t n) {
    int64_t left = n - i;
    uint32_t there = left >= 16 ? 0xffff : (1u << left) - 1;
    if (mask) there &= mask[i / 8] | (left > 8 ? (uint32_t)mask[i / 8 + 1] << 8 : 0);
    return (__mmask16)there;
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m512i limit_i32x16 = _mm512_set1_epi32(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 there = rows_at(mask, i, n);
        __m512i costs_i32x16 = _mm512_maskz_loadu_epi32(there, costs + i);
        uint32_t better = _mm512_mask_cmplt_epi32_mask(there, costs_i32x16, limit_i32x16);
        for (; EC_UNLIKELY(better != 0); better &= better - 1) {
            int64_t at = i + ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_i32(costs[at], first_row + (uint32_t)at);
        }
    }
    return count;
}

static int64_t filter_f32(const float *costs, int64_t n, float limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m512 limit_f32x16 = _mm512_set1_ps(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 there = rows_at(mask, i, n);
        __m512 costs_f32x16 = _mm512_maskz_loadu_ps(there, costs + i);
        uint32_t better = _mm512_mask_cmp_ps_mask(there, costs_f32x16, limit_f32x16, _CMP_NGE_UQ);
        for (; EC_UNLIKELY(better != 0); better &= better - 1) {
            int64_t at = i + ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_f32(costs[at], first_row + (uint32_t)at);
        }
    }
    return count;
}

static void decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip, float *out) {
    ec_loop_decode_i8(rows, stride_bytes, n_rows, width, flip, out);
}

static void decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out) {
    ec_loop_decode_u1(rows, stride_bytes, n_rows, width, out);
}

static void square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                          const float *steps, const float *offsets, double *squares) {
    ec_loop_square_ranges(rows, stride_bytes, n_rows, width, flip, steps, offsets, squares);
}

EC_TARGET_END

void ec_search_install_avx512(ec_kernels *table) {
    table->finish_i32 = finish_i32;
    table->finish_f32 = finish_f32;
    table->filter_i32 = filter_i32;
    table->filter_f32 = filter_f32;
    table->decode_i8 = decode_i8;
    table->decode_u1 = decode_u1;
    table->square_ranges = square_ranges;
}
#endif
