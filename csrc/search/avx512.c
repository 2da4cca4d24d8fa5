/* The scan's slots on AVX-512. Filters compare 64 scores at a time into mask registers and compress the entries that
 * pass; without a limit they first find one of their own. The others are loops of loops.h, compiled for AVX-512. */
#include "../dot/avx512_verbs.h"
#include "loops.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* A bit for each of the rows i .. i + 63: set where i + bit < n and the mask has the row. */
EC_INLINE uint64_t rows_at(const uint8_t *mask, int64_t i, int64_t n) {
    int64_t left = n - i;
    uint64_t there = left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
    if (mask) {
        uint64_t chosen = 0;
        memcpy(&chosen, mask + i / 8, left >= 64 ? 8 : (size_t)(left + 7) / 8);
        there &= chosen;
    }
    return there;
}

/* Appends an entry for each of sixteen rows whose bit in `chosen` is set, and returns their number. Sixteen entries are
 * written in any case.
 *
 *     keys, rows    k0 k1 k2 ...  r0 r1 r2 ...         sixteen of 32 bits each
 *     low, high     k0:r0 k1:r1 ... k7:r7  k8:r8 ...   widened, the key shifted up by 32: eight of 64 bits each
 *     compress      the chosen ones of each half to its front; the second half is stored behind those of the first */
EC_INLINE int64_t append(__m512i keys_u32x16, uint32_t row, uint32_t chosen, uint64_t *entries) {
    const __m512i step = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i rows_u32x16 = _mm512_add_epi32(_mm512_set1_epi32((int32_t)row), step);
    const __m512i low_u64x8 =
        _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(keys_u32x16)), 32),
                        _mm512_cvtepu32_epi64(_mm512_castsi512_si256(rows_u32x16)));
    const __m512i high_u64x8 =
        _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(keys_u32x16, 1)), 32),
                        _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(rows_u32x16, 1)));
    const int64_t n_low = _mm_popcnt_u32(chosen & 255);
    _mm512_storeu_si512(entries, _mm512_maskz_compress_epi64((__mmask8)chosen, low_u64x8));
    _mm512_storeu_si512(entries + n_low, _mm512_maskz_compress_epi64((__mmask8)(chosen >> 8), high_u64x8));
    return n_low + _mm_popcnt_u32(chosen >> 8);
}

/* The k-th least of 32 keys, k >= 1: the greatest key that has fewer than k keys below it. 32 comparisons of vectors
 * and no branch on the data. */
EC_INLINE uint32_t kth_of_32(const __m512i keys_u32x16[2], int64_t k) {
    const __m512i one_u32x16 = _mm512_set1_epi32(1);
    __m512i below_u32x16[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    uint32_t keys[32];
    for (int h = 0; h < 2; h++) _mm512_storeu_si512(keys + 16 * h, keys_u32x16[h]);
    for (int j = 0; j < 32; j++)
        for (int h = 0; h < 2; h++) {
            __mmask16 above = _mm512_cmpgt_epu32_mask(keys_u32x16[h], _mm512_set1_epi32((int32_t)keys[j]));
            below_u32x16[h] = _mm512_mask_add_epi32(below_u32x16[h], above, below_u32x16[h], one_u32x16);
        }
    const __m512i k_u32x16 = _mm512_set1_epi32((int32_t)k);
    __m512i first_u32x16 = _mm512_maskz_mov_epi32(_mm512_cmplt_epu32_mask(below_u32x16[0], k_u32x16), keys_u32x16[0]);
    __m512i second_u32x16 = _mm512_maskz_mov_epi32(_mm512_cmplt_epu32_mask(below_u32x16[1], k_u32x16), keys_u32x16[1]);
    return _mm512_reduce_max_epu32(_mm512_max_epu32(first_u32x16, second_u32x16));
}

/* A first limit, for k <= 32 and at least 64 rows: the k-th least of the minima of 32 groups of rows, which has k rows
 * that are not above it. Rows 64 j + 16 g + lane are in group 16 (g mod 2) + lane. Rows that do not count have the
 * greatest key. */
EC_INLINE int gives_limit(int64_t k, int64_t n) { return k >= 1 && k <= 32 && n >= 64; }

/* The least limit that the k best of these rows are below. */
static int32_t first_limit_i32(const int32_t *costs, int64_t n, int64_t k, const uint8_t *mask) {
    const __m512i none_i32x16 = _mm512_set1_epi32(EC_NO_LIMIT_I32);
    __m512i least_i32x16[2] = {none_i32x16, none_i32x16};
    for (int64_t i = 0; i < n; i += 64) {
        uint64_t there = rows_at(mask, i, n);
        for (int g = 0; g < 4; g++) {
            __m512i costs_i32x16 =
                _mm512_mask_loadu_epi32(none_i32x16, (__mmask16)(there >> 16 * g), costs + i + 16 * g);
            least_i32x16[g % 2] = _mm512_min_epi32(least_i32x16[g % 2], costs_i32x16);
        }
    }
    uint32_t kth = kth_of_32(least_i32x16, k);
    return (int32_t)(kth < EC_NO_LIMIT_I32 ? kth + 1 : kth);
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                          const uint8_t *mask, uint64_t *entries) {
    if (limit == EC_NO_LIMIT_I32 && gives_limit(k, n)) limit = first_limit_i32(costs, n, k, mask);
    const __m512i limit_i32x16 = _mm512_set1_epi32(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 64) {
        __m512i costs_i32x16[4];
        uint64_t better = 0;
        for (int g = 0; g < 4; g++) costs_i32x16[g] = _mm512_loadu_si512(costs + i + 16 * g);
        const __m512i least_i32x16 = _mm512_min_epi32(_mm512_min_epi32(costs_i32x16[0], costs_i32x16[1]),
                                                      _mm512_min_epi32(costs_i32x16[2], costs_i32x16[3]));
        if (EC_LIKELY(_mm512_cmplt_epi32_mask(least_i32x16, limit_i32x16) == 0)) continue;
        for (int g = 0; g < 4; g++)
            better |= (uint64_t)_mm512_cmplt_epi32_mask(costs_i32x16[g], limit_i32x16) << 16 * g;
        better &= rows_at(mask, i, n);
        for (int g = 0; better != 0 && g < 4; g++)
            count +=
                append(costs_i32x16[g], first_row + (uint32_t)(i + 16 * g), better >> 16 * g & 0xffff, entries + count);
    }
    return count;
}

/* ec_cost() of the sixteen rows from r on: the same operations in the same order. */
EC_INLINE __m512 cost_f32x16(const ec_finish *f, __m512 scores_f32x16, int64_t r) {
    __m512 dots_f32x16 = _mm512_add_ps(scores_f32x16, _mm512_loadu_ps(f->add + r));
    dots_f32x16 = _mm512_mul_ps(dots_f32x16, _mm512_set1_ps(f->query_mul));
    dots_f32x16 = _mm512_add_ps(dots_f32x16, _mm512_set1_ps(f->query_bias));
    __m512 costs_f32x16 = _mm512_mul_ps(dots_f32x16, _mm512_loadu_ps(f->mul + r));
    const __m512 biases_f32x16 = _mm512_mul_ps(_mm512_loadu_ps(f->bias + r), _mm512_set1_ps(f->query_weight));
    costs_f32x16 = _mm512_add_ps(costs_f32x16, biases_f32x16);
    costs_f32x16 = _mm512_add_ps(costs_f32x16, _mm512_set1_ps(f->query_add));
    return _mm512_max_ps(_mm512_set1_ps(f->lowest),
                         costs_f32x16); /* of NaN and a number max_ps gives its second operand, the NaN */
}

/* ec_cost_jaccard() of the sixteen rows from r on. */
EC_INLINE __m512 cost_jaccard_f32x16(const ec_finish *f, __m512 differing_f32x16, int64_t r) {
    const __m512 bits_f32x16 = _mm512_add_ps(_mm512_loadu_ps(f->add + r), _mm512_set1_ps(f->query_bias));
    const __m512 union_f32x16 = _mm512_add_ps(bits_f32x16, differing_f32x16);
    const __mmask16 some = _mm512_cmp_ps_mask(union_f32x16, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_div_ps(_mm512_add_ps(differing_f32x16, differing_f32x16),
                         _mm512_mask_mov_ps(_mm512_set1_ps(1), some, union_f32x16));
}

EC_INLINE __m512i key_u32x16(__m512 costs_f32x16) { /* as ec_key_f32() */
    const __m512i bits_u32x16 = _mm512_castps_si512(costs_f32x16);
    const __m512i sign = _mm512_set1_epi32((int32_t)0x80000000u);
    return _mm512_xor_si512(bits_u32x16, _mm512_or_si512(_mm512_srai_epi32(bits_u32x16, 31), sign));
}

/* The kinds of scores, constants where sift() is inlined. */
enum { OF_F32, OF_I32, JACCARD };

/* The costs of the sixteen rows from r on. */
EC_INLINE __m512 costs_at(const ec_finish *f, const void *scores, int kind, int64_t r) {
    __m512 scores_f32x16 = kind == OF_F32 ? _mm512_loadu_ps((const float *)scores + r)
                                          : _mm512_cvtepi32_ps(_mm512_loadu_si512((const int32_t *)scores + r));
    return kind == JACCARD ? cost_jaccard_f32x16(f, scores_f32x16, r) : cost_f32x16(f, scores_f32x16, r);
}

/* The same limit as first_limit_i32(), of keys of costs. */
EC_INLINE float first_limit_f32(const ec_finish *f, const void *scores, int kind, int64_t n, int64_t k,
                                const uint8_t *mask) {
    const __m512i none_u32x16 = _mm512_set1_epi32(-1);
    __m512i least_u32x16[2] = {none_u32x16, none_u32x16};
    for (int64_t i = 0; i < n; i += 64) {
        uint64_t there = rows_at(mask, i, n);
        for (int g = 0; g < 4; g++) {
            __m512i keys_u32x16 = key_u32x16(costs_at(f, scores, kind, i + 16 * g));
            keys_u32x16 = _mm512_mask_mov_epi32(none_u32x16, (__mmask16)(there >> 16 * g), keys_u32x16);
            least_u32x16[g % 2] = _mm512_min_epu32(least_u32x16[g % 2], keys_u32x16);
        }
    }
    return ec_cost_of_key(kth_of_32(least_u32x16, k) +
                          1); /* the next float above; NaN, which is no limit, above infinity and where no row counts */
}

EC_INLINE int64_t sift(const ec_finish *f, const void *scores, int kind, int64_t n, float limit, int64_t k,
                       uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    if (limit != limit && gives_limit(k, n)) limit = first_limit_f32(f, scores, kind, n, k, mask);
    const __m512 limit_f32x16 = _mm512_set1_ps(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 64) {
        __m512 costs_f32x16[4];
        uint64_t better = 0;
        for (int g = 0; g < 4; g++) {
            costs_f32x16[g] = costs_at(f, scores, kind, i + 16 * g);
            better |= (uint64_t)_mm512_cmp_ps_mask(costs_f32x16[g], limit_f32x16, _CMP_NGE_UQ) << 16 * g;
        }
        better &= rows_at(mask, i, n);
        if (EC_UNLIKELY(better != 0))
            for (int g = 0; g < 4; g++)
                count += append(key_u32x16(costs_f32x16[g]), first_row + (uint32_t)(i + 16 * g),
                                better >> 16 * g & 0xffff, entries + count);
    }
    return count;
}

static int64_t sift_i32(const ec_finish *f, const int32_t *scores, int64_t n, float limit, int64_t k,
                        uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    return f->jaccard ? sift(f, scores, JACCARD, n, limit, k, first_row, mask, entries)
                      : sift(f, scores, OF_I32, n, limit, k, first_row, mask, entries);
}

static int64_t sift_f32(const ec_finish *f, const float *scores, int64_t n, float limit, int64_t k, uint32_t first_row,
                        const uint8_t *mask, uint64_t *entries) {
    return sift(f, scores, OF_F32, n, limit, k, first_row, mask, entries);
}

/* ---- entries ---- */

/* A mask of the first n of eight lanes. */
EC_INLINE __mmask8 first_of_8(int64_t n) { return n >= 8 ? 0xff : (__mmask8)((1u << n) - 1); }

static int64_t entries_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    const __m512i bound_u64x8 = _mm512_set1_epi64((int64_t)bound);
    int64_t count = 0, i = 0;
    for (; i + 32 <= n; i += 32) {
        uint32_t within = 0;
        for (int g = 0; g < 4; g++)
            within |= (uint32_t)_mm512_cmple_epu64_mask(_mm512_loadu_si512(entries + i + 8 * g), bound_u64x8) << 8 * g;
        count += _mm_popcnt_u32(within);
    }
    for (; i < n; i += 8) {
        __mmask8 there = first_of_8(n - i);
        __m512i some_u64x8 = _mm512_maskz_loadu_epi64(there, entries + i);
        count += _mm_popcnt_u32(_mm512_mask_cmple_epu64_mask(there, some_u64x8, bound_u64x8));
    }
    return count;
}

static int64_t entries_keep(uint64_t *entries, int64_t n, uint64_t bound) {
    const __m512i bound_u64x8 = _mm512_set1_epi64((int64_t)bound);
    int64_t kept = 0, i = 0;
    for (; i + 8 <= n; i += 8) { /* kept <= i: these entries have been read */
        __m512i some_u64x8 = _mm512_loadu_si512(entries + i);
        __mmask8 within = _mm512_cmple_epu64_mask(some_u64x8, bound_u64x8);
        _mm512_storeu_si512(entries + kept, _mm512_maskz_compress_epi64(within, some_u64x8));
        kept += _mm_popcnt_u32(within);
    }
    return ec_loop_keep(entries, i, n, kept, bound);
}

static void entries_minima(const uint64_t *entries, int64_t n, uint64_t *minima) {
    __m512i least_u64x8[4];
    for (int g = 0; g < 4; g++) least_u64x8[g] = _mm512_loadu_si512(entries + 8 * g);
    for (int64_t i = EC_ENTRY_GROUPS; i + EC_ENTRY_GROUPS <= n; i += EC_ENTRY_GROUPS)
        for (int g = 0; g < 4; g++)
            least_u64x8[g] = _mm512_min_epu64(least_u64x8[g], _mm512_loadu_si512(entries + i + 8 * g));
    for (int g = 0; g < 4; g++) _mm512_storeu_si512(minima + 8 * g, least_u64x8[g]);
}

/* The place of an entry is the number of entries below it, counted by comparisons of vectors without a branch on the
 * data. */
static void entries_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) {
    const __m512i one_u64x8 = _mm512_set1_epi64(1);
    for (int64_t i = 0; i < n; i += 8) {
        __mmask8 there = first_of_8(n - i);
        __m512i some_u64x8 = _mm512_maskz_loadu_epi64(there, entries + i), places_u64x8 = _mm512_setzero_si512();
        for (int64_t j = 0; j < n; j++) {
            __mmask8 above = _mm512_cmpgt_epu64_mask(some_u64x8, _mm512_set1_epi64((int64_t)entries[j]));
            places_u64x8 = _mm512_mask_add_epi64(places_u64x8, above, places_u64x8, one_u64x8);
        }
        _mm512_mask_i64scatter_epi64(sorted, there, places_u64x8, some_u64x8, 8);
    }
}

static void decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip, float *out) {
    ec_loop_decode_i8(rows, stride_bytes, n_rows, width, flip, out);
}

static void decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out) {
    ec_loop_decode_u1(rows, stride_bytes, n_rows, width, out);
}

/* Rows whose squares are computed together: they share the loads of steps and offsets, and their sums do not wait for
 * one another. */
enum { SQUARED_ROWS = 8 };

/* Adds the squares of sixteen values of each of n rows to the partial sums of a run: see ec_loop_square_ranges(). */
EC_INLINE void add_squares(const int n, const int flips, const uint8_t *codes, int64_t stride_bytes, __mmask16 there,
                           const float *steps, const float *offsets, __m512 factor_f32x16, __m512 *run_f32x16) {
    const __m512 steps_f32x16 = _mm512_mul_ps(factor_f32x16, _mm512_maskz_loadu_ps(there, steps));
    const __m512 offsets_f32x16 = _mm512_mul_ps(factor_f32x16, _mm512_maskz_loadu_ps(there, offsets));
#pragma GCC unroll 8
    for (int r = 0; r < n; r++) {
        const uint8_t *from = codes + r * stride_bytes;
        __m128i codes_i8x16 =
            there != 0xffff ? _mm_maskz_loadu_epi8(there, from) : _mm_loadu_si128((const __m128i *)from);
        if (flips) codes_i8x16 = _mm_xor_si128(codes_i8x16, _mm_set1_epi8((char)0x80));
        const __m512 codes_f32x16 = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes_i8x16));
        const __m512 values_f32x16 = _mm512_fmadd_ps(steps_f32x16, codes_f32x16, offsets_f32x16);
        run_f32x16[r] = _mm512_fmadd_ps(values_f32x16, values_f32x16, run_f32x16[r]);
    }
}

/* The squared lengths of n rows at once. The rows `ahead` bytes further on are prefetched, since memory would be
 * idle. */
EC_INLINE void square_rows(const int n, const int flips, const uint8_t *row, int64_t stride_bytes, int64_t width,
                           const float *steps, const float *offsets, float factor, int64_t ahead, double *squares) {
    const __m512 factor_f32x16 = _mm512_set1_ps(factor);
    __m512d low_f64x8[SQUARED_ROWS], high_f64x8[SQUARED_ROWS];
    for (int r = 0; r < n; r++) low_f64x8[r] = high_f64x8[r] = _mm512_setzero_pd();
    for (int64_t d = 0; d < width;) {
        const int64_t end = ec_min_i64(d + EC_RANGES_RUN, width);
        __m512 run_f32x16[SQUARED_ROWS];
        for (int r = 0; r < n; r++) {
            run_f32x16[r] = _mm512_setzero_ps();
            _mm_prefetch((const char *)row + r * stride_bytes + d + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)row + r * stride_bytes + d + 64 + ahead, _MM_HINT_T0);
        }
        for (; d + 16 <= end; d += 16)
            add_squares(n, flips, row + d, stride_bytes, 0xffff, steps + d, offsets + d, factor_f32x16, run_f32x16);
        if (d < end) { /* values are 0 behind the last dimension */
            const __mmask16 there = (__mmask16)((1u << (end - d)) - 1);
            add_squares(n, flips, row + d, stride_bytes, there, steps + d, offsets + d, factor_f32x16, run_f32x16);
            d = end;
        }
        for (int r = 0; r < n; r++) {
            const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(run_f32x16[r]));
            const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(run_f32x16[r], 1));
            low_f64x8[r] = _mm512_add_pd(low_f64x8[r], low);
            high_f64x8[r] = _mm512_add_pd(high_f64x8[r], high);
        }
    }
    for (int r = 0; r < n; r++) squares[r] = ec_halve_f64x8x2(low_f64x8[r], high_f64x8[r]) * ec_ranges_undo(factor);
}

static void square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                          const float *steps, const float *offsets, double *squares) {
    const float factor = ec_ranges_factor(steps, offsets, width);
    const int64_t ahead =
        n_rows >= EC_DOT_BLOCK ? n_rows * stride_bytes : 0; /* after a whole block the next one is prefetched */
    const uint8_t *row = rows;
    int64_t r = 0;
    for (; r + SQUARED_ROWS <= n_rows; r += SQUARED_ROWS, row += SQUARED_ROWS * stride_bytes) {
        if (flip)
            square_rows(SQUARED_ROWS, 1, row, stride_bytes, width, steps, offsets, factor, ahead, squares + r);
        else
            square_rows(SQUARED_ROWS, 0, row, stride_bytes, width, steps, offsets, factor, ahead, squares + r);
    }
    for (; r < n_rows; r++, row += stride_bytes) {
        if (flip)
            square_rows(1, 1, row, stride_bytes, width, steps, offsets, factor, 0, squares + r);
        else
            square_rows(1, 0, row, stride_bytes, width, steps, offsets, factor, 0, squares + r);
    }
}

static void square_sums(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step, double centre,
                        double *squares) {
    ec_loop_square_sums(sumsq, sums, n, width, step, centre, squares);
}

/* Written out because compilers make no vectors of the comparisons in ec_loop_inverse_lengths(). */
static void inverse_lengths(const double *squares, int64_t n, float *mul) {
    const __m512d least_f64x8 = _mm512_set1_pd(EC_LEAST_LENGTH), most_f64x8 = _mm512_set1_pd(EC_MOST_LENGTH);
    for (int64_t r = 0; r < n; r += 8) {
        const __mmask8 there = first_of_8(n - r);
        const __m512d lengths_f64x8 = _mm512_sqrt_pd(_mm512_maskz_loadu_pd(there, squares + r));
        const __mmask8 fits = _mm512_cmp_pd_mask(lengths_f64x8, least_f64x8, _CMP_GE_OQ) &
                              _mm512_cmp_pd_mask(lengths_f64x8, most_f64x8, _CMP_LE_OQ);
        const __mmask8 unlike_0 = _mm512_cmp_pd_mask(lengths_f64x8, _mm512_setzero_pd(), _CMP_NEQ_UQ);
        const __m512d other_f64x8 = _mm512_maskz_mov_pd(unlike_0, _mm512_set1_pd(NAN));
        const __m512d mul_f64x8 = _mm512_mask_div_pd(other_f64x8, fits, _mm512_set1_pd(-1), lengths_f64x8);
        _mm256_mask_storeu_ps(mul + r, there, _mm512_cvtpd_ps(mul_f64x8));
    }
}

static void l2_terms(const float *scales, const double *squares, int64_t n, float *mul, float *bias) {
    ec_loop_l2_terms(scales, squares, n, mul, bias);
}

EC_TARGET_END

EC_SLOTS(search, avx512) {
    table->filter_i32 = filter_i32;
    table->sift_i32 = sift_i32;
    table->sift_f32 = sift_f32;
    table->entries_count = entries_count;
    table->entries_keep = entries_keep;
    table->entries_minima = entries_minima;
    table->entries_sort = entries_sort;
    table->decode_i8 = decode_i8;
    table->decode_u1 = decode_u1;
    table->square_ranges = square_ranges;
    table->square_sums = square_sums;
    table->inverse_lengths = inverse_lengths;
    table->l2_terms = l2_terms;
}
#endif
