/* Arrays of floats with AVX2 of integers of which some have more digits than three: 65535, -7, 16777217. The digits of each are
 * moved to the end of their sixteen bytes, so that no power of ten is looked up, and the integer, as a double, is exact: it is
 * rounded but once.
 *
 *     byte     0 1 2 3 4 5 6 7 .. 13 14 15
 *     text     - 4 2 7 , 1 0 .
 *     moved                       4  2  7
 */
#include "avx2_alone.h"
#include "avx2_convert.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

#define EIGHT_OF(x) x, x, x, x, x, x, x, x
#define THIRTY_TWO_OF(x) EIGHT_OF(x), EIGHT_OF(x), EIGHT_OF(x), EIGHT_OF(x)

/* FROM_NONE + k: the shuffle of a number of k digits; k is -1 - EC_MOST_GAP at least. Of more digits than fifteen it leaves one
 * in byte 0, which else has none. */
/* clang-format off */
static const uint8_t SHUFFLES[1 + EC_MOST_GAP + 16 + EC_LONGEST + 16] = {
    THIRTY_TWO_OF(128), 128,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    THIRTY_TWO_OF(15), THIRTY_TWO_OF(15), THIRTY_TWO_OF(15), THIRTY_TWO_OF(15), 15};
/* clang-format on */
static const uint8_t *const FROM_NONE = SHUFFLES + 1 + EC_MOST_GAP;

/* What is seen of the numbers of a chunk, each at the byte before its first digit, to be judged at its end. */
typedef struct {
    __m256i all_u8x32, any_u8x32; /* bits that the bytes have in all numbers, and in any */
    __m256i zeros_u32x8;          /* all bits, if any number begins with a 0 before another digit */
    __m256i moved_u8x32;          /* bits of what is moved */
} seen_numbers;

/* Digits differ in the bit of 16 from all that may stand before and behind them. */
EC_INLINE void see(seen_numbers *seen, __m256i starts_u64x4, ec_four_numbers moved) {
    const __m256i two_u64x4 = _mm256_set1_epi64x(0x10ff00),
                  zero_u64x4 = _mm256_set1_epi64x((int64_t)0xffffffff00103000);
    const __m256i zeros_u32x8 = _mm256_cmpeq_epi32(_mm256_and_si256(starts_u64x4, two_u64x4), zero_u64x4);
    seen->all_u8x32 = _mm256_and_si256(seen->all_u8x32, starts_u64x4);
    seen->any_u8x32 = _mm256_or_si256(seen->any_u8x32, starts_u64x4);
    seen->zeros_u32x8 = _mm256_or_si256(seen->zeros_u32x8, zeros_u32x8);
    seen->moved_u8x32 = _mm256_or_si256(seen->moved_u8x32, _mm256_or_si256(moved.even_u8x32, moved.odd_u8x32));
}

static int are_fit(seen_numbers seen) {
    const __m256i byte_0 = _mm256_broadcastsi128_si256(_mm_cvtsi32_si128(255));
    return _mm256_testc_si256(seen.all_u8x32, _mm256_set1_epi64x(0x1000)) &&
           _mm256_testz_si256(seen.any_u8x32, _mm256_set1_epi64x(0x10)) &&
           _mm256_testz_si256(seen.zeros_u32x8, seen.zeros_u32x8) && _mm256_testz_si256(seen.moved_u8x32, byte_0);
}

/* Turns two integers into two times four groups of four digits. */
EC_INLINE __m256i read_two(__m256i moved_u8x32) {
    __m256i digits_u8x32 = _mm256_and_si256(moved_u8x32, _mm256_set1_epi8(15));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(digits_u8x32, _mm256_set1_epi16(1 << 8 | 10)),
                             _mm256_set1_epi32(1 << 16 | 100));
}

int32_t ec_convert_whole_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const uint8_t *starts = chunk + index->gap, *start = starts + index->before;
    const uint8_t *shuffles = FROM_NONE - index->gap;
    const int32_t count = index->count;
    const uint8_t beyond_signs = ec_beyond_signs();
    seen_numbers seen = {_mm256_set1_epi8(-1), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const ec_four_places of = ec_place_four_avx2(&start, starts, index->end + i, index->end + i, beyond_signs);
        const uint8_t *const by[4] = {shuffles + of.bytes[0], shuffles + of.bytes[1], shuffles + of.bytes[2],
                                      shuffles + of.bytes[3]};
        const ec_four_numbers text = ec_load_each_avx2(of.text), shuffle = ec_load_each_avx2(by);
        const ec_four_numbers moved = {_mm256_shuffle_epi8(text.even_u8x32, shuffle.even_u8x32),
                                       _mm256_shuffle_epi8(text.odd_u8x32, shuffle.odd_u8x32)};
        const __m256i starts_u64x4 = _mm256_unpacklo_epi64(text.even_u8x32, text.odd_u8x32);
        see(&seen, starts_u64x4, moved);
        const __m256d size_f64x4 = ec_join_quads_avx2(read_two(moved.even_u8x32), read_two(moved.odd_u8x32));
        _mm_storeu_ps(out + i, _mm256_cvtpd_ps(_mm256_or_pd(size_f64x4, ec_signs_avx2(starts_u64x4))));
    }
    if (!are_fit(seen)) return -1;
    for (; i < count; i++)
        if (!ec_alone_avx2(chunk, index, i, out)) return -1;
    return count;
}

EC_TARGET_END

#endif
