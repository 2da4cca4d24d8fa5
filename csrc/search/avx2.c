/* The slots of the scan on AVX2: element-wise loops by the compiler, filters by movemask. */
#include "loops.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

static void finish_i32(const ec_finish *f, const int32_t *scores, int64_t n, float *costs) {
    ec_loop_finish_i32(f, scores, n, costs);
}

static void finish_f32(const ec_finish *f, const float *scores, int64_t n, float *costs) {
    ec_loop_finish_f32(f, scores, n, costs);
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m256i limit_i32x8 = _mm256_set1_epi32(limit);
    int64_t count = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i better_i32x8 = _mm256_cmpgt_epi32(limit_i32x8, _mm256_loadu_si256((const __m256i *)(costs + i)));
        uint32_t better = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(better_i32x8));
        if (mask) better &= mask[i / 8];
        for (; EC_UNLIKELY(better != 0); better &= better - 1) {
            int64_t at = i + ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_i32(costs[at], first_row + (uint32_t)at);
        }
    }
    for (; i < n; i++)
        if (costs[i] < limit && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_i32(costs[i], first_row + (uint32_t)i);
    return count;
}

static int64_t filter_f32(const float *costs, int64_t n, float limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m256 limit_f32x8 = _mm256_set1_ps(limit);
    int64_t count = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 better_f32x8 = _mm256_cmp_ps(_mm256_loadu_ps(costs + i), limit_f32x8, _CMP_NGE_UQ);
        uint32_t better = (uint32_t)_mm256_movemask_ps(better_f32x8);
        if (mask) better &= mask[i / 8];
        for (; EC_UNLIKELY(better != 0); better &= better - 1) {
            int64_t at = i + ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_f32(costs[at], first_row + (uint32_t)at);
        }
    }
    for (; i < n; i++)
        if (!(costs[i] >= limit) && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_f32(costs[i], first_row + (uint32_t)i);
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

void ec_search_install_avx2(ec_kernels *table) {
    table->finish_i32 = finish_i32;
    table->finish_f32 = finish_f32;
    table->filter_i32 = filter_i32;
    table->filter_f32 = filter_f32;
    table->decode_i8 = decode_i8;
    table->decode_u1 = decode_u1;
    table->square_ranges = square_ranges;
}
#endif
