/* The scan's slots on AVX2. Filters compare eight scores at a time and turn the result into a mask by movemask; most of
 * the others are the loops of loops.h, compiled for AVX2. */
#include "loops.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* Appends an entry for each bit of `chosen`: bit i is the row `row` + i, whose key is keys[i]. Returns the new
 * count. */
EC_INLINE int64_t append(const uint32_t *keys, uint32_t row, uint32_t chosen, int64_t count, uint64_t *entries) {
    for (; chosen != 0; chosen &= chosen - 1) {
        uint32_t at = (uint32_t)ec_trailing_zeros_u64(chosen);
        entries[count++] = (uint64_t)keys[at] << 32 | (row + at);
    }
    return count;
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                          const uint8_t *mask, uint64_t *entries) {
    (void)k;
    const __m256i limit_i32x8 = _mm256_set1_epi32(limit);
    int64_t count = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i better_i32x8 = _mm256_cmpgt_epi32(limit_i32x8, _mm256_loadu_si256((const __m256i *)(costs + i)));
        uint32_t better = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(better_i32x8));
        if (mask) better &= mask[i / 8];
        if (EC_UNLIKELY(better != 0))
            count = append((const uint32_t *)costs + i, first_row + (uint32_t)i, better, count, entries);
    }
    return ec_loop_filter_i32(costs, i, n, count, limit, first_row, mask, entries);
}

/* ec_cost() of the eight rows from r on: the same operations in the same order. */
EC_INLINE __m256 cost_f32x8(const ec_finish *f, __m256 scores_f32x8, int64_t r) {
    __m256 dots_f32x8 = _mm256_add_ps(scores_f32x8, _mm256_loadu_ps(f->add + r));
    dots_f32x8 = _mm256_mul_ps(dots_f32x8, _mm256_set1_ps(f->query_mul));
    dots_f32x8 = _mm256_add_ps(dots_f32x8, _mm256_set1_ps(f->query_bias));
    __m256 costs_f32x8 = _mm256_mul_ps(dots_f32x8, _mm256_loadu_ps(f->mul + r));
    const __m256 biases_f32x8 = _mm256_mul_ps(_mm256_loadu_ps(f->bias + r), _mm256_set1_ps(f->query_weight));
    costs_f32x8 = _mm256_add_ps(costs_f32x8, biases_f32x8);
    costs_f32x8 = _mm256_add_ps(costs_f32x8, _mm256_set1_ps(f->query_add));
    return _mm256_max_ps(_mm256_set1_ps(f->lowest),
                         costs_f32x8); /* of NaN and a number max_ps gives its second operand, the NaN */
}

/* ec_cost_jaccard() of the eight rows from r on. */
EC_INLINE __m256 cost_jaccard_f32x8(const ec_finish *f, __m256 differing_f32x8, int64_t r) {
    const __m256 bits_f32x8 = _mm256_add_ps(_mm256_loadu_ps(f->add + r), _mm256_set1_ps(f->query_bias));
    const __m256 union_f32x8 = _mm256_add_ps(bits_f32x8, differing_f32x8), one_f32x8 = _mm256_set1_ps(1);
    const __m256 some_f32x8 = _mm256_cmp_ps(union_f32x8, _mm256_setzero_ps(), _CMP_GT_OQ);
    return _mm256_div_ps(_mm256_add_ps(differing_f32x8, differing_f32x8),
                         _mm256_blendv_ps(one_f32x8, union_f32x8, some_f32x8));
}

/* sift_i32 and sift_f32, and of Jaccard costs; inlined with is_float and jaccard constant. */
EC_INLINE int64_t sift(const ec_finish *f, const void *scores, int is_float, int jaccard, int64_t n, float limit,
                       uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    const __m256 limit_f32x8 = _mm256_set1_ps(limit);
    int64_t count = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 costs_f32x8 = is_float ? _mm256_loadu_ps((const float *)scores + i)
                                      : _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)scores + i / 8));
        costs_f32x8 = jaccard ? cost_jaccard_f32x8(f, costs_f32x8, i) : cost_f32x8(f, costs_f32x8, i);
        uint32_t better = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(costs_f32x8, limit_f32x8, _CMP_NGE_UQ));
        if (mask) better &= mask[i / 8];
        if (EC_UNLIKELY(better != 0)) {
            const __m256i bits_u32x8 = _mm256_castps_si256(costs_f32x8); /* as ec_key_f32() */
            const __m256i flip_u32x8 =
                _mm256_or_si256(_mm256_srai_epi32(bits_u32x8, 31), _mm256_set1_epi32((int32_t)0x80000000u));
            uint32_t keys[8];
            _mm256_storeu_si256((__m256i *)keys, _mm256_xor_si256(bits_u32x8, flip_u32x8));
            count = append(keys, first_row + (uint32_t)i, better, count, entries);
        }
    }
    return ec_loop_sift(is_float ? ec_cost_f32 : ec_cost_i32, f, scores, i, n, count, limit, first_row, mask, entries);
}

static int64_t sift_i32(const ec_finish *f, const int32_t *scores, int64_t n, float limit, int64_t k,
                        uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return f->jaccard ? sift(f, scores, 0, 1, n, limit, first_row, mask, entries)
                      : sift(f, scores, 0, 0, n, limit, first_row, mask, entries);
}

static int64_t sift_f32(const ec_finish *f, const float *scores, int64_t n, float limit, int64_t k, uint32_t first_row,
                        const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return sift(f, scores, 1, 0, n, limit, first_row, mask, entries);
}

static int64_t entries_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_count(entries, n, bound);
}

static int64_t entries_keep(uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_keep(entries, 0, n, 0, bound);
}

static void entries_minima(const uint64_t *entries, int64_t n, uint64_t *minima) { ec_loop_minima(entries, n, minima); }

static void entries_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) { ec_loop_sort(entries, n, sorted); }

static void decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip, float *out) {
    ec_loop_decode_i8(rows, stride_bytes, n_rows, width, flip, out);
}

static void decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out) {
    ec_loop_decode_u1(rows, stride_bytes, n_rows, width, out);
}

/* Adds the squares of eight values to the partial sums of a run: see ec_loop_square_ranges(). */
EC_INLINE __m256 add_squares(__m128i codes_i8x8, const float *steps, const float *offsets, __m256 factor_f32x8,
                             __m256 run_f32x8) {
    const __m256 steps_f32x8 = _mm256_mul_ps(factor_f32x8, _mm256_loadu_ps(steps));
    const __m256 offsets_f32x8 = _mm256_mul_ps(factor_f32x8, _mm256_loadu_ps(offsets));
    const __m256 codes_f32x8 = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes_i8x8));
    const __m256 values_f32x8 = _mm256_fmadd_ps(steps_f32x8, codes_f32x8, offsets_f32x8);
    return _mm256_fmadd_ps(values_f32x8, values_f32x8, run_f32x8);
}

static void square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                          const float *steps, const float *offsets, double *squares) {
    const float factor = ec_ranges_factor(steps, offsets, width);
    const int64_t whole = width / 16 * 16, left = width - whole;
    const __m128i flip_u8x16 = _mm_set1_epi8((char)flip);
    const __m256 factor_f32x8 = _mm256_set1_ps(factor);
    const uint8_t *row = rows;
    float last_steps[16] = {0}, last_offsets[16] = {0}; /* values are 0 behind the last dimension */
    memcpy(last_steps, steps + whole, (size_t)left * 4);
    memcpy(last_offsets, offsets + whole, (size_t)left * 4);
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        __m256d partial_f64x4[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
        for (int64_t d = 0; d < width;) {
            const int64_t end = ec_min_i64(d + EC_RANGES_RUN, width);
            __m256 run_f32x8[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
            for (; d < end; d += 16) {
                uint8_t last[16] = {0};
                if (d == whole) memcpy(last, row + d, (size_t)left);
                const uint8_t *codes = d == whole ? last : row + d;
                const float *s = d == whole ? last_steps : steps + d, *o = d == whole ? last_offsets : offsets + d;
                const __m128i codes_i8x16 = _mm_xor_si128(_mm_loadu_si128((const __m128i *)codes), flip_u8x16);
                run_f32x8[0] = add_squares(codes_i8x16, s, o, factor_f32x8, run_f32x8[0]);
                run_f32x8[1] =
                    add_squares(_mm_unpackhi_epi64(codes_i8x16, codes_i8x16), s + 8, o + 8, factor_f32x8, run_f32x8[1]);
            }
            for (int i = 0; i < 4; i++) {
                const __m256 half_f32x8 = run_f32x8[i / 2];
                const __m128 quarter_f32x4 =
                    i % 2 ? _mm256_extractf128_ps(half_f32x8, 1) : _mm256_castps256_ps128(half_f32x8);
                partial_f64x4[i] = _mm256_add_pd(partial_f64x4[i], _mm256_cvtps_pd(quarter_f32x4));
            }
        }
        double partial[16];
        for (int i = 0; i < 4; i++) _mm256_storeu_pd(partial + 4 * i, partial_f64x4[i]);
        squares[r] = ec_halve_f64x16(partial) * ec_ranges_undo(factor);
    }
}

static void square_sums(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step, double centre,
                        double *squares) {
    ec_loop_square_sums(sumsq, sums, n, width, step, centre, squares);
}

/* Written out because compilers make no vectors of the comparisons in ec_loop_inverse_lengths(). */
static void inverse_lengths(const double *squares, int64_t n, float *mul) {
    const __m256d least_f64x4 = _mm256_set1_pd(EC_LEAST_LENGTH), most_f64x4 = _mm256_set1_pd(EC_MOST_LENGTH);
    int64_t r = 0;
    for (; r + 4 <= n; r += 4) {
        const __m256d lengths_f64x4 = _mm256_sqrt_pd(_mm256_loadu_pd(squares + r));
        const __m256d fits_f64x4 = _mm256_and_pd(_mm256_cmp_pd(lengths_f64x4, least_f64x4, _CMP_GE_OQ),
                                                 _mm256_cmp_pd(lengths_f64x4, most_f64x4, _CMP_LE_OQ));
        const __m256d unlike_0_f64x4 = _mm256_cmp_pd(lengths_f64x4, _mm256_setzero_pd(), _CMP_NEQ_UQ);
        const __m256d other_f64x4 = _mm256_and_pd(unlike_0_f64x4, _mm256_set1_pd(NAN));
        const __m256d inverse_f64x4 = _mm256_div_pd(_mm256_set1_pd(-1), lengths_f64x4);
        _mm_storeu_ps(mul + r, _mm256_cvtpd_ps(_mm256_blendv_pd(other_f64x4, inverse_f64x4, fits_f64x4)));
    }
    ec_loop_inverse_lengths(squares + r, n - r, mul + r);
}

static void l2_terms(const float *scales, const double *squares, int64_t n, float *mul, float *bias) {
    ec_loop_l2_terms(scales, squares, n, mul, bias);
}

EC_TARGET_END

EC_SLOTS(search, avx2) {
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
