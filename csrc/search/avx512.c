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

/* The chosen of sixteen keys as entries, in order; sixteen are written whatever their number, for which there is room:
 * blocks are whole sixteens but for the last, and room is for whole ones. */
EC_INLINE int64_t append(__m512i keys_u32x16, uint32_t row, uint32_t chosen, uint64_t *entries) {
    const __m512i step = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i rows_u32x16 = _mm512_add_epi32(_mm512_set1_epi32((int32_t)row), step);
    const __m512i low_u64x8 = _mm512_or_si512(
        _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(keys_u32x16)), 32),
        _mm512_cvtepu32_epi64(_mm512_castsi512_si256(rows_u32x16)));
    const __m512i high_u64x8 = _mm512_or_si512(
        _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(keys_u32x16, 1)), 32),
        _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(rows_u32x16, 1)));
    const int64_t n_low = _mm_popcnt_u32(chosen & 255);
    _mm512_storeu_si512(entries, _mm512_maskz_compress_epi64((__mmask8)chosen, low_u64x8));
    _mm512_storeu_si512(entries + n_low, _mm512_maskz_compress_epi64((__mmask8)(chosen >> 8), high_u64x8));
    return n_low + _mm_popcnt_u32(chosen >> 8);
}

/* Almost no row passes once a limit stands, so that whole sixty-fours are asked first whether any does. */
static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m512i limit_i32x16 = _mm512_set1_epi32(limit);
    const int64_t whole = n / 64 * 64;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 16) {
        for (; i < whole && i % 64 == 0; i += 64) {
            __m512i ab = _mm512_min_epi32(_mm512_loadu_si512(costs + i), _mm512_loadu_si512(costs + i + 16));
            __m512i cd = _mm512_min_epi32(_mm512_loadu_si512(costs + i + 32), _mm512_loadu_si512(costs + i + 48));
            if (EC_UNLIKELY(_mm512_cmplt_epi32_mask(_mm512_min_epi32(ab, cd), limit_i32x16) != 0)) break;
        }
        if (i >= n) break;
        __mmask16 there = rows_at(mask, i, n);
        __m512i costs_i32x16 = _mm512_maskz_loadu_epi32(there, costs + i);
        uint32_t better = _mm512_mask_cmplt_epi32_mask(there, costs_i32x16, limit_i32x16);
        if (better != 0) count += append(costs_i32x16, first_row + (uint32_t)i, better, entries + count);
    }
    return count;
}

static int64_t filter_f32(const float *costs, int64_t n, float limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    const __m512 limit_f32x16 = _mm512_set1_ps(limit);
    const int64_t whole = n / 64 * 64;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 16) {
        for (; i < whole && i % 64 == 0; i += 64) { /* not greater or equal: NaN passes too */
            unsigned better = 0;
            for (int j = 0; j < 4; j++)
                better |= _mm512_cmp_ps_mask(_mm512_loadu_ps(costs + i + 16 * j), limit_f32x16, _CMP_NGE_UQ);
            if (EC_UNLIKELY(better != 0)) break;
        }
        if (i >= n) break;
        __mmask16 there = rows_at(mask, i, n);
        __m512 costs_f32x16 = _mm512_maskz_loadu_ps(there, costs + i);
        uint32_t better = _mm512_mask_cmp_ps_mask(there, costs_f32x16, limit_f32x16, _CMP_NGE_UQ);
        if (better != 0) {
            const __m512i bits_u32x16 = _mm512_castps_si512(costs_f32x16); /* as ec_key_f32 */
            const __m512i flip_u32x16 =
                _mm512_or_si512(_mm512_srai_epi32(bits_u32x16, 31), _mm512_set1_epi32((int32_t)0x80000000u));
            count += append(_mm512_xor_si512(bits_u32x16, flip_u32x16), first_row + (uint32_t)i, better, entries + count);
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
