/* The scan's slots on AVX2. Filters compare eight scores at a time and turn the result into a mask by movemask; without
 * a limit they first find one of their own. Most of the others are the loops of loops.h, compiled for AVX2. */
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

/* A bit for each of the rows i .. i + 7 that counts: those below n, and those of the mask. */
EC_INLINE uint32_t rows_at(const uint8_t *mask, int64_t i, int64_t n) {
    const uint32_t there = n - i >= 8 ? 255 : (1u << (n - i)) - 1;
    return mask ? there & mask[i / 8] : there;
}

/* Lanes of all ones where the bit is set. */
EC_INLINE __m256i lanes_of(uint32_t bits) {
    const __m256i bit_u32x8 = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int32_t)bits), bit_u32x8), bit_u32x8);
}

/* A first limit, for k <= 32 and at least 64 rows: the k-th least of the minima of 32 groups of rows, which has k rows
 * that are not above it. Rows 32 j + 8 g + lane are in group 8 g + lane. Rows that do not count have the greatest
 * key. */
enum { GROUP_VECTORS = 4, GROUPS = 8 * GROUP_VECTORS };

EC_INLINE int gives_limit(int64_t k, int64_t n) { return k >= 1 && k <= GROUPS && n >= 64; }

/* The k-th least of 32 signed keys: the greatest key that has fewer than k keys below it. No branch on the data. */
static int32_t kth_of_groups(const __m256i keys_i32x8[GROUP_VECTORS], int64_t k) {
    const __m256i k_i32x8 = _mm256_set1_epi32((int32_t)k);
    __m256i below_i32x8[GROUP_VECTORS], most_i32x8 = _mm256_set1_epi32(INT32_MIN);
    int32_t keys[GROUPS], lanes[8], most = INT32_MIN;
    for (int g = 0; g < GROUP_VECTORS; g++) {
        _mm256_storeu_si256((__m256i *)(keys + 8 * g), keys_i32x8[g]);
        below_i32x8[g] = _mm256_setzero_si256();
    }
    for (int j = 0; j < GROUPS; j++)
        for (int g = 0; g < GROUP_VECTORS; g++) /* a comparison that holds is -1 */
            below_i32x8[g] =
                _mm256_sub_epi32(below_i32x8[g], _mm256_cmpgt_epi32(keys_i32x8[g], _mm256_set1_epi32(keys[j])));
    for (int g = 0; g < GROUP_VECTORS; g++) {
        const __m256i fits_i32x8 = _mm256_cmpgt_epi32(k_i32x8, below_i32x8[g]);
        most_i32x8 = _mm256_blendv_epi8(most_i32x8, _mm256_max_epi32(most_i32x8, keys_i32x8[g]), fits_i32x8);
    }
    _mm256_storeu_si256((__m256i *)lanes, most_i32x8);
    for (int i = 0; i < 8; i++) most = lanes[i] > most ? lanes[i] : most;
    return most;
}

/* The least limit that the k best of these rows are below. */
static int32_t first_limit_i32(const int32_t *costs, int64_t n, int64_t k, const uint8_t *mask) {
    const __m256i none_i32x8 = _mm256_set1_epi32(EC_NO_LIMIT_I32);
    __m256i least_i32x8[GROUP_VECTORS] = {none_i32x8, none_i32x8, none_i32x8, none_i32x8};
    for (int64_t i = 0; i < n; i += GROUPS)
        for (int g = 0; g < GROUP_VECTORS && i + 8 * g < n; g++) {
            const __m256i costs_i32x8 = _mm256_loadu_si256((const __m256i *)(costs + i + 8 * g));
            const __m256i some_i32x8 =
                _mm256_blendv_epi8(none_i32x8, costs_i32x8, lanes_of(rows_at(mask, i + 8 * g, n)));
            least_i32x8[g] = _mm256_min_epi32(least_i32x8[g], some_i32x8);
        }
    const int32_t kth = kth_of_groups(least_i32x8, k);
    return kth < EC_NO_LIMIT_I32 ? kth + 1 : kth;
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                          const uint8_t *mask, uint64_t *entries) {
    if (limit == EC_NO_LIMIT_I32 && gives_limit(k, n)) limit = first_limit_i32(costs, n, k, mask);
    const __m256i limit_i32x8 = _mm256_set1_epi32(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 8) {
        __m256i better_i32x8 = _mm256_cmpgt_epi32(limit_i32x8, _mm256_loadu_si256((const __m256i *)(costs + i)));
        uint32_t better = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(better_i32x8));
        if (EC_UNLIKELY(better != 0))
            count = append((const uint32_t *)costs + i, first_row + (uint32_t)i, better & rows_at(mask, i, n), count,
                           entries);
    }
    return count;
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

EC_INLINE __m256i key_u32x8(__m256 costs_f32x8) { /* as ec_key_f32() */
    const __m256i bits_u32x8 = _mm256_castps_si256(costs_f32x8), sign = _mm256_set1_epi32((int32_t)0x80000000u);
    return _mm256_xor_si256(bits_u32x8, _mm256_or_si256(_mm256_srai_epi32(bits_u32x8, 31), sign));
}

/* The kinds of scores, constants where sift() is inlined. */
enum { OF_F32, OF_I32, JACCARD };

/* The costs of the eight rows from r on. */
EC_INLINE __m256 costs_at(const ec_finish *f, const void *scores, int kind, int64_t r) {
    __m256 scores_f32x8 = kind == OF_F32
                              ? _mm256_loadu_ps((const float *)scores + r)
                              : _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)((const int32_t *)scores + r)));
    return kind == JACCARD ? cost_jaccard_f32x8(f, scores_f32x8, r) : cost_f32x8(f, scores_f32x8, r);
}

/* The same limit as first_limit_i32(), of keys of costs, which are compared as signed integers. */
EC_INLINE float first_limit_f32(const ec_finish *f, const void *scores, int kind, int64_t n, int64_t k,
                                const uint8_t *mask) {
    const __m256i none_i32x8 = _mm256_set1_epi32(INT32_MAX), sign = _mm256_set1_epi32((int32_t)0x80000000u);
    __m256i least_i32x8[GROUP_VECTORS] = {none_i32x8, none_i32x8, none_i32x8, none_i32x8};
    for (int64_t i = 0; i < n; i += GROUPS)
        for (int g = 0; g < GROUP_VECTORS && i + 8 * g < n; g++) {
            const __m256i keys_i32x8 = _mm256_xor_si256(key_u32x8(costs_at(f, scores, kind, i + 8 * g)), sign);
            const __m256i some_i32x8 =
                _mm256_blendv_epi8(none_i32x8, keys_i32x8, lanes_of(rows_at(mask, i + 8 * g, n)));
            least_i32x8[g] = _mm256_min_epi32(least_i32x8[g], some_i32x8);
        }
    /* the next float above; NaN, which is no limit, above infinity and where no row counts */
    return ec_cost_of_key(((uint32_t)kth_of_groups(least_i32x8, k) ^ 0x80000000u) + 1);
}

EC_INLINE int64_t sift(const ec_finish *f, const void *scores, int kind, int64_t n, float limit, int64_t k,
                       uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    if (limit != limit && gives_limit(k, n)) limit = first_limit_f32(f, scores, kind, n, k, mask);
    const __m256 limit_f32x8 = _mm256_set1_ps(limit);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 costs_f32x8 = costs_at(f, scores, kind, i);
        const uint32_t better = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(costs_f32x8, limit_f32x8, _CMP_NGE_UQ));
        if (EC_UNLIKELY(better != 0)) {
            uint32_t keys[8];
            _mm256_storeu_si256((__m256i *)keys, key_u32x8(costs_f32x8));
            count = append(keys, first_row + (uint32_t)i, better & rows_at(mask, i, n), count, entries);
        }
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

static int64_t entries_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_count(entries, n, bound);
}

static int64_t entries_keep(uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_keep(entries, 0, n, 0, bound);
}

static void entries_minima(const uint64_t *entries, int64_t n, uint64_t *minima) { ec_loop_minima(entries, n, minima); }

/* The place of an entry is the number of entries below it, counted by comparisons of vectors without a branch on the
 * data. These are signed: with their highest bit flipped, entries have the order that they have unsigned. */
static void entries_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) {
    const uint64_t sign = (uint64_t)1 << 63;
    uint64_t flipped[EC_FEW_ENTRIES + 4];
    for (int64_t i = 0; i < n + 3; i++) flipped[i] = i < n ? entries[i] ^ sign : sign - 1;
    for (int64_t i = 0; i < n; i += 4) {
        const __m256i some_i64x4 = _mm256_loadu_si256((const __m256i *)(flipped + i));
        __m256i places_i64x4 = _mm256_setzero_si256();
        int64_t places[4];
        for (int64_t j = 0; j < n; j++) /* a comparison that holds is -1 */
            places_i64x4 =
                _mm256_sub_epi64(places_i64x4, _mm256_cmpgt_epi64(some_i64x4, _mm256_set1_epi64x((int64_t)flipped[j])));
        _mm256_storeu_si256((__m256i *)places, places_i64x4);
        for (int64_t l = 0; l < 4 && i + l < n; l++) sorted[places[l]] = entries[i + l];
    }
}

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
