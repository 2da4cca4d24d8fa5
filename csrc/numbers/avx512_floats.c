/* Arrays of floats with AVX-512, but for those that go the way of avx2_single.c and avx512_single.c: vpcompressb writes the
 * positions of numbers, and 16 numbers are converted together, by multiplications that join digits to groups of 2, 4, 8
 * and 16. */
#include "avx2.h"
#include "avx512.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

/* Writes the chosen positions, at most 32, plus `base`, as 16-bit words. 64 bytes are written in any case. */
EC_INLINE void store_positions(uint16_t *to, __mmask64 chosen, __m512i positions_u8x64, __m512i base_u16x32) {
    __m512i chosen_u8x64 = _mm512_maskz_compress_epi8(chosen, positions_u8x64);
    __m512i chosen_u16x32 = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(chosen_u8x64));
    _mm512_storeu_si512(to, _mm512_add_epi16(chosen_u16x32, base_u16x32));
}

static int index_any(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    const __m512i positions_u8x64 = ec_byte_positions();
    const __m512i doubled_u8x64 = _mm512_add_epi8(positions_u8x64, positions_u8x64);
    __m512i base_u16x32 = _mm512_setzero_si512();
    ec_number_carry carry = {0, 0, 0, 0, 0};
    int32_t begun = 0, with_point = 0, ended = 0;
    index->alone_count = 0;
    index->sound = 1;
    for (int64_t at = 0; at < length; at += BLOCK) {
        ec_number_classes classes = ec_classify_avx512(_mm512_loadu_si512(chunk + at));
        ec_number_marks marks = ec_number_mark(&classes, &carry);
        uint64_t end = marks.end;
        if (EC_UNLIKELY(marks.bad != 0)) {
            end &= (marks.bad & (0 - marks.bad)) - 1;
            index->sound = 0;
        }
        if (EC_UNLIKELY(classes.exponents != 0)) ec_index_exponents(index, classes.exponents, end, ended);
        __m512i signed_u8x64 = _mm512_mask_add_epi8(doubled_u8x64, marks.negative, doubled_u8x64, _mm512_set1_epi8(1));
        store_positions(index->first + begun, marks.first, signed_u8x64, _mm512_add_epi16(base_u16x32, base_u16x32));
        store_positions(index->point + with_point, marks.point, positions_u8x64, base_u16x32);
        store_positions(index->end + ended, end, positions_u8x64, base_u16x32);
        begun += (int32_t)_mm_popcnt_u64(marks.first);
        with_point += (int32_t)_mm_popcnt_u64(marks.point);
        ended += (int32_t)_mm_popcnt_u64(end);
        base_u16x32 = _mm512_add_epi16(base_u16x32, _mm512_set1_epi16(BLOCK));
        if (EC_UNLIKELY(marks.bad != 0)) break;
    }
    index->count = ended;
    return 1;
}

static const double NEGATIVE_POWERS[32] = {1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,  1e-9,  1e-10,
                                           1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21,
                                           1e-22, 1e-23, 1e-24, 1e-25, 1e-26, 1e-27, 1e-28, 1e-29, 1e-30, 1e-31};

/* The 32 bytes before end_a, and the 32 before end_b. */
EC_INLINE __m512i load_two(const uint8_t *end_a, const uint8_t *end_b) {
    __m256i a_u8x32 = _mm256_loadu_si256((const __m256i *)(end_a - 32));
    __m256i b_u8x32 = _mm256_loadu_si256((const __m256i *)(end_b - 32));
    return _mm512_inserti64x4(_mm512_castsi256_si512(a_u8x32), b_u8x32, 1);
}

/* Turns two numbers into two times eight groups of four digits. `fraction` is the number of bytes behind the point,
 * `digits` that of the digits to keep, both counted from the end of the number.
 *
 *     ...,-1.25     bytes behind the point come from a load that ends with the number,
 *     ..,-1.25,     bytes before it from one that ends a byte earlier, so that they cover the point */
EC_INLINE __m512i read_two(const uint8_t *end_a, const uint8_t *end_b, __m512i fraction_u8x64, __m512i digits_u8x64) {
    const __m512i from_end_u8x64 = _mm512_xor_si512(_mm512_and_si512(ec_byte_positions(), _mm512_set1_epi8(31)),
                                                    _mm512_set1_epi8(31)); /* 31, 30 ... 0 twice */
    __mmask64 behind = _mm512_cmplt_epu8_mask(from_end_u8x64, fraction_u8x64);
    __mmask64 kept = _mm512_cmplt_epu8_mask(from_end_u8x64, digits_u8x64);
    __m512i text_u8x64 = _mm512_mask_blend_epi8(behind, load_two(end_a - 1, end_b - 1), load_two(end_a, end_b));
    __m512i values_u8x64 = _mm512_maskz_sub_epi8(kept, text_u8x64, _mm512_set1_epi8('0'));
    __m512i pairs_u16x32 = _mm512_maddubs_epi16(values_u8x64, _mm512_set1_epi16(1 << 8 | 10));
    return _mm512_madd_epi16(pairs_u16x32, _mm512_set1_epi32(1 << 16 | 100));
}

/* Joins four numbers, in groups of four digits, to groups of sixteen, 64 bits each:
 *
 *     a0 b0 | a1 b1 | ...    the upper and the lower half of the first of each pair, then of the second */
EC_INLINE __m512i join_four(__m512i ab_u32x16, __m512i cd_u32x16) {
    __m512i words_u16x32 = _mm512_packus_epi32(ab_u32x16, cd_u32x16);
    __m512i eights_u32x16 = _mm512_madd_epi16(words_u16x32, _mm512_set1_epi32(1 << 16 | 10000));
    return _mm512_add_epi64(_mm512_mul_epu32(eights_u32x16, _mm512_set1_epi64(100000000)),
                            _mm512_srli_epi64(eights_u32x16, 32));
}

/* Converts eight numbers to float32, without their signs. Sets `unsure` for those too near the middle between two
 * floats. */
EC_INLINE __m256 convert_eight(const uint8_t *chunk, const uint16_t *end, __m512i lengths_u8x64, int half,
                               __m512i scale_u64x8, __mmask8 *unsure) {
    __m512i quads_u32x16[4];
    for (int pair = 0; pair < 4; pair++) {
        int i = 8 * half + 2 * pair;
        /* The lengths of this pair, each over its half: fractions are bytes 0 to 15 of lengths_u8x64, digits bytes 16
         * to 31. */
        __m512i select_u8x64 = _mm512_inserti64x4(_mm512_set1_epi8((char)i), _mm256_set1_epi8((char)(i + 1)), 1);
        __m512i fraction_u8x64 = _mm512_permutexvar_epi8(select_u8x64, lengths_u8x64);
        __m512i digits_u8x64 =
            _mm512_permutexvar_epi8(_mm512_add_epi8(select_u8x64, _mm512_set1_epi8(16)), lengths_u8x64);
        quads_u32x16[pair] = read_two(chunk + end[i], chunk + end[i + 1], fraction_u8x64, digits_u8x64);
    }
    __m512i early_u64x8 = join_four(quads_u32x16[0], quads_u32x16[1]); /* 0 2 | 0 2 | 1 3 | 1 3, upper | lower */
    __m512i late_u64x8 = join_four(quads_u32x16[2], quads_u32x16[3]);
    const __m512i upper_of = _mm512_setr_epi64(0, 4, 1, 5, 8, 12, 9, 13);
    const __m512i lower_of = _mm512_setr_epi64(2, 6, 3, 7, 10, 14, 11, 15);
    __m512d upper_f64x8 = _mm512_cvtepu64_pd(_mm512_permutex2var_epi64(early_u64x8, upper_of, late_u64x8));
    __m512d lower_f64x8 = _mm512_cvtepu64_pd(_mm512_permutex2var_epi64(early_u64x8, lower_of, late_u64x8));

    /* There are four roundings, each of at most 2^-53 of the value: of the lower half (16 digits can exceed 2^53), the
     * sum, the power of ten and the product. Together they are at most 4.1 units in the last place of a double; 8 are
     * allowed for. A float32 keeps 24 of 53 bits, so the lower 29 bits of the double tell how far the middle between
     * two floats is. */
    __m512d sum_f64x8 = _mm512_fmadd_pd(upper_f64x8, _mm512_set1_pd(1e16), lower_f64x8);
    __m512d small_f64x8 =
        _mm512_permutex2var_pd(_mm512_loadu_pd(NEGATIVE_POWERS), scale_u64x8, _mm512_loadu_pd(NEGATIVE_POWERS + 8));
    __m512d large_f64x8 = _mm512_permutex2var_pd(_mm512_loadu_pd(NEGATIVE_POWERS + 16), scale_u64x8,
                                                 _mm512_loadu_pd(NEGATIVE_POWERS + 24));
    __mmask8 is_large = _mm512_test_epi64_mask(scale_u64x8, _mm512_set1_epi64(16));
    __m512d value_f64x8 = _mm512_mul_pd(sum_f64x8, _mm512_mask_blend_pd(is_large, small_f64x8, large_f64x8));
    __m512i lowest_u64x8 = _mm512_slli_epi64(
        _mm512_add_epi64(_mm512_castpd_si512(value_f64x8), _mm512_set1_epi64(8 - (1 << 28))), 64 - 29);
    *unsure = _mm512_cmple_epu64_mask(lowest_u64x8, _mm512_set1_epi64((int64_t)16 << (64 - 29)));
    return _mm512_cvt_roundpd_ps(value_f64x8, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static int alone_at(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    return ec_number_alone(chunk, index->first[i] >> 1, index->end[i], out + i);
}

static int32_t convert_any(const uint8_t *chunk, ec_number_index *index, float *out) {
    int32_t count = index->count;
    for (int32_t i = 0; i < 16; i++) index->end[count + i] = index->point[count + i] = index->first[count + i] = 0;
    for (int32_t i = 0; i < count; i += 16) {
        __m256i first_u16x16 = _mm256_loadu_si256((const __m256i *)(index->first + i));
        __m256i point_u16x16 = _mm256_loadu_si256((const __m256i *)(index->point + i));
        __m256i end_u16x16 = _mm256_loadu_si256((const __m256i *)(index->end + i));
        __m256i start_u16x16 = _mm256_srli_epi16(first_u16x16, 1);

        /* With a point, end - point - 1 bytes are behind it, and there is one digit less than bytes. Without a point
         * this gives 65535 bytes behind it; kept at 64, all bytes come from the first load. The scale is 10^-(that &
         * 31). */
        __m256i behind_u16x16 = _mm256_sub_epi16(_mm256_sub_epi16(end_u16x16, point_u16x16), _mm256_set1_epi16(1));
        __m256i fraction_u16x16 = _mm256_min_epu16(behind_u16x16, _mm256_set1_epi16(64));
        __mmask16 with_point = _mm256_cmplt_epu16_mask(point_u16x16, end_u16x16);
        __m256i bytes_u16x16 = _mm256_sub_epi16(end_u16x16, start_u16x16);
        __m256i digits_u16x16 = _mm256_mask_sub_epi16(bytes_u16x16, with_point, bytes_u16x16, _mm256_set1_epi16(1));
        __mmask16 alone = _mm256_cmpgt_epu16_mask(digits_u16x16, _mm256_set1_epi16(32));
        __m512i lengths_u8x64 = _mm512_castsi256_si512(
            _mm256_set_m128i(_mm256_cvtepi16_epi8(digits_u16x16), _mm256_cvtepi16_epi8(fraction_u16x16)));
        __m512i scale_u32x16 = _mm512_and_si512(_mm512_cvtepu16_epi32(fraction_u16x16), _mm512_set1_epi32(31));

        __mmask8 unsure_early, unsure_late;
        __m256 early_f32x8 = convert_eight(chunk, index->end + i, lengths_u8x64, 0,
                                           _mm512_cvtepu32_epi64(_mm512_castsi512_si256(scale_u32x16)), &unsure_early);
        __m256 late_f32x8 =
            convert_eight(chunk, index->end + i, lengths_u8x64, 1,
                          _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(scale_u32x16, 1)), &unsure_late);
        __m512 values_f32x16 = _mm512_insertf32x8(_mm512_castps256_ps512(early_f32x8), late_f32x8, 1);
        __m512i signs_u32x16 = _mm512_slli_epi32(_mm512_cvtepu16_epi32(first_u16x16), 31);
        __m512i result_u32x16 = _mm512_or_si512(_mm512_castps_si512(values_f32x16), signs_u32x16);
        __mmask16 valid = count - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1 << (count - i)) - 1);
        _mm512_mask_storeu_epi32(out + i, valid, result_u32x16);
        alone = (__mmask16)((alone | unsure_early | unsure_late << 8) & valid);
        count = ec_numbers_in_doubt(alone_at, chunk, index, i, alone, count, out); /* ends the loop if it is less */
    }
    return ec_numbers_with_exponents(alone_at, chunk, index, count, out);
}

static ec_result floats_parse_avx512(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags) {
    const ec_float_passes single = {ec_index_single_avx512, ec_convert_single_avx2}, any = {index_any, convert_any};
    return ec_floats_parse_chunks(text, n, out, capacity, flags, single, any);
}

EC_TARGET_END

EC_SLOTS(numbers, avx512) {
    table->floats_parse = floats_parse_avx512;
    table->integers_parse = ec_integers_parse_avx512;
    table->floats_format = ec_floats_format_avx512;
    table->integers_format = ec_integers_format_avx512;
}

#endif
