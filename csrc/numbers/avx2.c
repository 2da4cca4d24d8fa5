/* Arrays of floats with AVX2. Those of which the first numbers differ in digits and signs alone are read in avx2_fixed.c, as
 * long as all do. Of nearly all others only the ends of numbers are looked for, in avx2_ends.c: those in which numbers have
 * one digit before their points are converted in avx2_single.c, those in which some have more in avx2_wide.c; integers in
 * avx2_whole.c, of up to three digits in avx2_small.c. What these do not take, as numbers of fourteen digits before the point and
 * more, goes the way of avx512_floats.c: 64 bytes become masks, positions are taken from the masks bit by bit, and four
 * numbers are converted together. */
#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

static int index_any(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    ec_number_carry carry = {0, 0, 0, 0, 0};
    int32_t begun = 0, with_point = 0, ended = 0;
    index->alone_count = 0;
    index->sound = 1;
    for (int64_t at = 0; at < length; at += BLOCK) {
        ec_number_classes classes = ec_classify_avx2(chunk + at);
        ec_number_marks marks = ec_number_mark(&classes, &carry);
        uint64_t end = marks.end;
        if (EC_UNLIKELY(marks.bad != 0)) {
            end &= (marks.bad & (0 - marks.bad)) - 1;
            index->sound = 0;
        }
        if (EC_UNLIKELY(classes.exponents != 0)) ec_index_exponents(index, classes.exponents, end, ended);
        begun += ec_store_positions_avx2(index->first + begun, marks.first, (uint32_t)at);
        with_point += ec_store_positions_avx2(index->point + with_point, marks.point, (uint32_t)at);
        ended += ec_store_positions_avx2(index->end + ended, end, (uint32_t)at);
        if (EC_UNLIKELY(marks.bad != 0)) break;
    }
    index->count = ended;
    return 1;
}

/* WINDOW + k: 32 bytes of which the last k are set. */
static const uint8_t WINDOW[64] = {0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                                   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                                   255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                   255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* 10^-k for a fraction of k digits; entry 32 is for numbers without a point. */
static const double SCALES[33] = {1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,  1e-9,  1e-10,
                                  1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21,
                                  1e-22, 1e-23, 1e-24, 1e-25, 1e-26, 1e-27, 1e-28, 1e-29, 1e-30, 1e-31, 1.0};

EC_INLINE __m256i window(uint32_t length) { return _mm256_loadu_si256((const __m256i *)(WINDOW + length)); }

/* Turns one number into eight groups of four digits: see read_two() in avx512_floats.c. */
EC_INLINE __m256i read_one(const uint8_t *end, uint32_t fraction, uint32_t digits) {
    __m256i behind_u8x32 = _mm256_loadu_si256((const __m256i *)(end - 32));
    __m256i before_u8x32 = _mm256_loadu_si256((const __m256i *)(end - 33));
    __m256i text_u8x32 = _mm256_blendv_epi8(before_u8x32, behind_u8x32, window(fraction));
    __m256i values_u8x32 = _mm256_and_si256(_mm256_sub_epi8(text_u8x32, _mm256_set1_epi8('0')), window(digits));
    __m256i pairs_u16x16 = _mm256_maddubs_epi16(values_u8x32, _mm256_set1_epi16(1 << 8 | 10));
    return _mm256_madd_epi16(pairs_u16x16, _mm256_set1_epi32(1 << 16 | 100));
}

/* Joins two numbers to groups of sixteen digits: upper a, upper b | lower a, lower b. */
EC_INLINE __m256i join_two(__m256i a_u32x8, __m256i b_u32x8) {
    __m256i words_u16x16 = _mm256_packus_epi32(a_u32x8, b_u32x8);
    __m256i eights_u32x8 = _mm256_madd_epi16(words_u16x16, _mm256_set1_epi32(1 << 16 | 10000));
    return _mm256_add_epi64(_mm256_mul_epu32(eights_u32x8, _mm256_set1_epi64x(100000000)),
                            _mm256_srli_epi64(eights_u32x8, 32));
}

/* The nearest doubles of unsigned integers: their halves are put into the mantissas of 2^84 and 2^52, which are then
 * subtracted. */
EC_INLINE __m256d to_double(__m256i x_u64x4) {
    const __m256i magic_low = _mm256_set1_epi64x(0x4330000000000000),
                  magic_high = _mm256_set1_epi64x(0x4530000000000000);
    __m256i low_u64x4 = _mm256_blend_epi32(magic_low, x_u64x4, 0x55);
    __m256i high_u64x4 = _mm256_xor_si256(_mm256_srli_epi64(x_u64x4, 32), magic_high);
    const __m256d both_f64x4 = _mm256_set1_pd(19342813118337666422669312.0); /* 2^84 + 2^52 */
    return _mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(high_u64x4), both_f64x4), _mm256_castsi256_pd(low_u64x4));
}

static int alone_at(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    return ec_number_alone(chunk, index->first[i], index->end[i], out + i);
}

static int32_t convert_any(const uint8_t *chunk, ec_number_index *index, float *out) {
    int32_t count = index->count;
    for (int32_t i = 0; i < 4; i++) index->end[count + i] = index->point[count + i] = index->first[count + i] = 0;
    for (int32_t i = 0; i < count; i += 4) {
        __m256i quads_u32x8[4];
        double scales[4];
        uint32_t signs[4], alone = 0;
        for (int j = 0; j < 4; j++) {
            uint32_t first = index->first[i + j], point = index->point[i + j], end = index->end[i + j];
            uint32_t fraction = end - point - 1, digits = end - first - (point < end);
            fraction = fraction < 32 ? fraction : 32; /* without a point all bytes are ones */
            alone |= (uint32_t)(digits > 32) << j;
            digits = digits < 32 ? digits : 32;
            quads_u32x8[j] = read_one(chunk + end, fraction, digits);
            scales[j] = SCALES[fraction];
            signs[j] = (uint32_t)(chunk[(int32_t)first - 1] == '-') << 31;
        }
        __m256i ab_u64x4 = join_two(quads_u32x8[0], quads_u32x8[1]),
                cd_u64x4 = join_two(quads_u32x8[2], quads_u32x8[3]);
        __m256d upper_f64x4 = to_double(_mm256_permute2x128_si256(ab_u64x4, cd_u64x4, 0x20));
        __m256d lower_f64x4 = to_double(_mm256_permute2x128_si256(ab_u64x4, cd_u64x4, 0x31));
        __m256d sum_f64x4 = _mm256_fmadd_pd(upper_f64x4, _mm256_set1_pd(1e16), lower_f64x4);
        __m256d value_f64x4 = _mm256_mul_pd(sum_f64x4, _mm256_loadu_pd(scales));
        __m256i lowest_u64x4 =
            _mm256_and_si256(_mm256_add_epi64(_mm256_castpd_si256(value_f64x4), _mm256_set1_epi64x(8 - (1 << 28))),
                             _mm256_set1_epi64x((1 << 29) - 1));
        __m256i unsure_u64x4 = _mm256_cmpgt_epi64(_mm256_set1_epi64x(17), lowest_u64x4);
        __m128 result_f32x4 =
            _mm_or_ps(_mm256_cvtpd_ps(value_f64x4), _mm_castsi128_ps(_mm_loadu_si128((const __m128i *)signs)));
        alone |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(unsure_u64x4));
        alone &= ec_store_some_f32x4(out + i, result_f32x4, count - i);
        count = ec_numbers_in_doubt(alone_at, chunk, index, i, alone, count, out); /* ends the loop if it is less */
    }
    return ec_numbers_with_exponents(alone_at, chunk, index, count, out);
}

static int index_first(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    ec_number_form *form = &index->form;
    if (form->wait > 0)
        form->wait--;
    else if (ec_learn_form_avx2(chunk, length, form)) {
        index->length = length;
        index->count = 0; /* it is known when they are converted */
        return 1;
    }
    form->step = 0;
    return ec_index_ends_avx2(chunk, length, index);
}

static int32_t convert_first(const uint8_t *chunk, ec_number_index *index, float *out) {
    if (index->form.step) {
        const int32_t done = ec_convert_fixed_avx2(chunk, index, out);
        if (done >= 0) return done;
        if (!ec_index_ends_avx2(chunk, index->length, index) || index->count > index->room) return -1;
    }
    if (index->small) return ec_convert_small_avx2(chunk, index, out);
    if (!index->wide || index->dense) return ec_convert_single_avx2(chunk, index, out);
    const int is_whole = index->points == 0 && index->alone_count == 0;
    const int32_t done = is_whole ? ec_convert_whole_avx2(chunk, index, out) : -1;
    return done < 0 ? ec_convert_wide_avx2(chunk, index, out) : done;
}

static ec_result floats_parse_avx2(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags) {
    const ec_float_passes single = {index_first, convert_first}, any = {index_any, convert_any};
    return ec_floats_parse_chunks(text, n, out, capacity, flags, single, any);
}

EC_TARGET_END

EC_SLOTS(numbers, avx2) {
    table->floats_parse = floats_parse_avx2;
    table->integers_parse = ec_integers_parse_avx2;
    table->floats_format = ec_floats_format_avx2;
    table->integers_format = ec_integers_format_avx2;
}

#endif
