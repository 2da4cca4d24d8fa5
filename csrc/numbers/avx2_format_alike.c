/* Writes int8 and uint8 as JSON with AVX2 where 32 numbers and more have one sign, as many digits, and the same hundreds: what
 * the text of one has besides its last two digits stands where it does in that of all, so that one shuffle that never changes
 * puts digits there.
 *
 *     words     t o t o t o ..      tens and ones of eight numbers, as numbers 0 to 9
 *     moved     . . t o . . . t o . . . t o .  ..
 *     added     - 1 0 0 , - 1 0 0 , - 1 0 0 ,  ..
 */
#include "avx2.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum { AT_ONCE = 32 };

/* Numbers from `least` on, as bytes, and `more` of them: which digits' number is (byte ^ flip) + addend, below 100, and what
 * eight of their texts are made of. */
typedef struct {
    uint8_t least, more, flip, addend, length;
    uint8_t places[48], added[48];
} alike_numbers;

#define NONE 128
#define TENS(j) 2 * (j), 2 * (j) + 1, NONE
#define ONE_AND_ONES(j) NONE, 2 * (j) + 1, NONE
#define ONE_AND_TENS(j) NONE, TENS(j)
#define TWO_AND_TENS(j) NONE, NONE, TENS(j)
#define PLACES_OF(X) X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7)
#define FOUR_OF(...) __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__
#define EIGHT_OF(...) FOUR_OF(__VA_ARGS__), FOUR_OF(__VA_ARGS__)

/* clang-format off */
static const alike_numbers UNSIGNED[] = {
    {10, 89, 0, 0, 3, {PLACES_OF(TENS)}, {EIGHT_OF('0', '0', ',')}},
    {100, 99, 0, 156, 4, {PLACES_OF(ONE_AND_TENS)}, {EIGHT_OF('1', '0', '0', ',')}},
    {200, 55, 0, 56, 4, {PLACES_OF(ONE_AND_TENS)}, {EIGHT_OF('2', '0', '0', ',')}},
};
static const alike_numbers SIGNED[] = {
    {10, 89, 0, 0, 3, {PLACES_OF(TENS)}, {EIGHT_OF('0', '0', ',')}},
    {100, 27, 0, 156, 4, {PLACES_OF(ONE_AND_TENS)}, {EIGHT_OF('1', '0', '0', ',')}},
    {128, 28, 255, 157, 5, {PLACES_OF(TWO_AND_TENS)}, {EIGHT_OF('-', '1', '0', '0', ',')}},
    {157, 89, 255, 1, 4, {PLACES_OF(ONE_AND_TENS)}, {EIGHT_OF('-', '0', '0', ',')}},
    {247, 8, 255, 1, 3, {PLACES_OF(ONE_AND_ONES)}, {EIGHT_OF('-', '0', ',')}},
};
/* clang-format on */

/* The kind that a number is of, or one that it is not of, if none is for it. There are no branches: among numbers of all kinds
 * which one comes first cannot be foreseen. */
EC_INLINE const alike_numbers *kind_of(int number, int32_t type) {
    if (type == EC_UINT8) return UNSIGNED + (number >= 100) + (number >= 200);
    return SIGNED + (number >= 100) + (number >= 128) + (number >= 157) + (number >= 247);
}

EC_INLINE __m256i load_twice(const uint8_t of[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)of));
}

/* Writes one part of the texts of eight numbers, and of eight others: sixteen bytes, or what is left of them. */
EC_INLINE void write_part(uint8_t *p, __m256i words_u8x32, const alike_numbers *of, int part, int length) {
    const __m256i moved_u8x32 = _mm256_shuffle_epi8(words_u8x32, load_twice(of->places + 16 * part));
    const __m256i text_u8x32 = _mm256_add_epi8(moved_u8x32, load_twice(of->added + 16 * part));
    const __m128i low_u8x16 = _mm256_castsi256_si128(text_u8x32), high_u8x16 = _mm256_extracti128_si256(text_u8x32, 1);
    if (8 * length - 16 * part >= 16) {
        _mm_storeu_si128((__m128i *)(p + 16 * part), low_u8x16);
        _mm_storeu_si128((__m128i *)(p + 8 * length + 16 * part), high_u8x16);
    } else {
        _mm_storel_epi64((__m128i *)(p + 16 * part), low_u8x16);
        _mm_storel_epi64((__m128i *)(p + 8 * length + 16 * part), high_u8x16);
    }
}

/* Writes 16 numbers below 100. */
EC_INLINE void write_sixteen(uint8_t *p, __m128i numbers_u8x16, const alike_numbers *of, int length) {
    const __m256i numbers_u16x16 = _mm256_cvtepu8_epi16(numbers_u8x16);
    const __m256i tens_u16x16 = _mm256_mulhi_epu16(numbers_u16x16, _mm256_set1_epi16(6554)); /* / 10 */
    /* tens + 256 (number - 10 tens) */
    const __m256i words_u8x32 = _mm256_sub_epi16(_mm256_slli_epi16(numbers_u16x16, 8),
                                                 _mm256_mullo_epi16(tens_u16x16, _mm256_set1_epi16(256 * 10 - 1)));
    for (int part = 0; 2 * part < length; part++) write_part(p, words_u8x32, of, part, length);
}

/* Whether 32 numbers are of a kind. */
EC_INLINE int are_of(const uint8_t *values, const alike_numbers *of) {
    const __m256i values_u8x32 = _mm256_loadu_si256((const __m256i *)values);
    const __m256i beyond_u8x32 = _mm256_subs_epu8(_mm256_sub_epi8(values_u8x32, _mm256_set1_epi8((char)of->least)),
                                                  _mm256_set1_epi8((char)of->more));
    return _mm256_testz_si256(beyond_u8x32, beyond_u8x32);
}

EC_INLINE int64_t write_kind(uint8_t *p, const uint8_t *values, int64_t n, const alike_numbers *kind, int length) {
    const alike_numbers of = *kind;
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)of.flip), addend_u8x32 = _mm256_set1_epi8((char)of.addend);
    int64_t i = 0;
    for (; i + AT_ONCE <= n && are_of(values + i, &of); i += AT_ONCE, p += AT_ONCE * length) {
        const __m256i values_u8x32 = _mm256_loadu_si256((const __m256i *)(values + i));
        const __m256i numbers_u8x32 = _mm256_add_epi8(_mm256_xor_si256(values_u8x32, flip_u8x32), addend_u8x32);
        write_sixteen(p, _mm256_castsi256_si128(numbers_u8x32), &of, length);
        write_sixteen(p + 16 * length, _mm256_extracti128_si256(numbers_u8x32, 1), &of, length);
    }
    return i;
}

int64_t ec_integers_format_alike_avx2(const uint8_t *values, int64_t n, int32_t type, uint8_t **text) {
    if (n < AT_ONCE) return 0;
    const alike_numbers *of = kind_of(*values, type);
    if (!are_of(values, of)) return 0;
    const int length = of->length;
    const int64_t count = length == 3   ? write_kind(*text, values, n, of, 3)
                          : length == 4 ? write_kind(*text, values, n, of, 4)
                                        : write_kind(*text, values, n, of, 5);
    *text += count * length;
    return count;
}

EC_TARGET_END

#endif
