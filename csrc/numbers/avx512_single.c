/* Where the numbers of avx2_single.c end, with AVX-512: but commas are looked for, and that of two bytes side by side the
 * second may stand behind the first. */
#include "avx2.h"
#include "avx512.h"
#include "pairs.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

#define EIGHT(x) x, x, x, x, x, x, x, x

/* For bytes below 64. */
static const uint8_t KINDS[64] = {OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER,        OTHER,
                                  SPACE, SPACE, OTHER, OTHER, SPACE, OTHER, OTHER, EIGHT(OTHER), EIGHT(OTHER),
                                  SPACE, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER,        OTHER,
                                  OTHER, OTHER, PLUS,  COMMA, MINUS, POINT, OTHER, EIGHT(DIGIT), DIGIT,
                                  DIGIT, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER};
static const uint8_t BARRED[64] = {EIGHT(BEHIND_COMMA), EIGHT(BEHIND_COMMA), EIGHT(BEHIND_COMMA), EIGHT(BEHIND_COMMA),
                                   EIGHT(BEHIND_COMMA), BEHIND_COMMA,        BEHIND_COMMA,        BEHIND_COMMA,
                                   BEHIND_SIGN,         BEHIND_COMMA,        BEHIND_SIGN,         BEHIND_SIGN,
                                   BEHIND_COMMA,        EIGHT(BEHIND_DIGIT), BEHIND_DIGIT,        BEHIND_DIGIT,
                                   BEHIND_COMMA,        BEHIND_COMMA,        BEHIND_COMMA,        BEHIND_COMMA,
                                   BEHIND_COMMA,        BEHIND_COMMA};

/* A block, and the bytes before each of its own. */
typedef struct {
    __m512i text_u8x64, before_u8x64;
} block_pairs;

EC_INLINE block_pairs pairs_at(const uint8_t *text) {
    block_pairs pairs = {_mm512_loadu_si512(text), _mm512_loadu_si512(text - 1)};
    return pairs;
}

EC_INLINE __mmask64 exponents_of(__m512i text_u8x64) {
    return ec_equal_avx512(_mm512_or_si512(text_u8x64, _mm512_set1_epi8(0x20)), 'e');
}

/* The bytes that may not stand behind those before them. Notes where exponents are. */
EC_INLINE uint64_t barred_of(block_pairs pairs, __m512i kinds_u8x64, __m512i barred_u8x64, uint64_t *exponents) {
    __m512i kind_u8x64 = _mm512_permutexvar_epi8(pairs.text_u8x64, kinds_u8x64);
    __m512i barred_behind_u8x64 = _mm512_permutexvar_epi8(pairs.before_u8x64, barred_u8x64);
    __m512i either_u8x64 = _mm512_or_si512(pairs.text_u8x64, pairs.before_u8x64);
    uint64_t others = 0;
    *exponents = 0;
    if (EC_UNLIKELY(_mm512_test_epi8_mask(either_u8x64, _mm512_set1_epi8((char)0xc0)) != 0)) {
        *exponents = exponents_of(pairs.text_u8x64);
        others = _mm512_test_epi8_mask(pairs.text_u8x64, _mm512_set1_epi8((char)0xc0)) & ~*exponents;
        kind_u8x64 = _mm512_mask_blend_epi8(*exponents, kind_u8x64, _mm512_set1_epi8(EXPONENT));
        barred_behind_u8x64 = _mm512_mask_blend_epi8(exponents_of(pairs.before_u8x64), barred_behind_u8x64,
                                                     _mm512_set1_epi8((char)BEHIND_EXPONENT));
    }
    return _mm512_test_epi8_mask(kind_u8x64, barred_behind_u8x64) | others;
}

/* Writes chosen positions, at most every other, plus `base`; 32 are written in any case. Returns how many there are. */
EC_INLINE int32_t store_positions(uint16_t *to, uint64_t chosen, __m512i positions_u8x64, __m512i base_u16x32) {
    __m512i chosen_u16x32 =
        _mm512_cvtepu8_epi16(_mm512_castsi512_si256(_mm512_maskz_compress_epi8(chosen, positions_u8x64)));
    _mm512_storeu_si512(to, _mm512_add_epi16(chosen_u16x32, base_u16x32));
    return (int32_t)_mm_popcnt_u64(chosen);
}

EC_INLINE int index_ends(const uint8_t *chunk, int64_t length, ec_number_index *index, int dense) {
    const __m512i kinds_u8x64 = _mm512_loadu_si512(KINDS), barred_u8x64 = _mm512_loadu_si512(BARRED);
    const __m512i positions_u8x64 = ec_byte_positions();
    __m512i base_u16x32 = _mm512_setzero_si512(), points_u8x64 = _mm512_setzero_si512();
    int32_t ended = 0, exponent_count = 0;
    int64_t at = 0;
    index->alone_count = 0;
    index->sound = 1;
    index->dense = dense;
    for (; at < length; at += BLOCK) {
        const block_pairs pairs = pairs_at(chunk + at);
        __mmask64 end = ec_equal_avx512(pairs.text_u8x64, ','), point = ec_equal_avx512(pairs.text_u8x64, '.');
        uint64_t exponents, bad = barred_of(pairs, kinds_u8x64, barred_u8x64, &exponents);
        if (EC_UNLIKELY(bad != 0)) {
            if (!ec_ends_list(chunk + at + _tzcnt_u64(bad))) break;
            end &= _blsmsk_u64(bad) >> 1;
            point &= _blsmsk_u64(bad) >> 1;
            exponents &= _blsmsk_u64(bad) >> 1;
            index->sound = 0;
        }
        if (EC_UNLIKELY(end == 0)) break; /* the number may be too long */
        points_u8x64 = _mm512_mask_add_epi8(points_u8x64, point, points_u8x64, _mm512_set1_epi8(1));
        if (!dense && EC_UNLIKELY(exponents != 0)) ec_index_exponents(index, exponents, end, ended);
        ended += store_positions(index->end + ended, end, positions_u8x64, base_u16x32);
        if (dense) exponent_count += (int32_t)_mm_popcnt_u64(exponents);
        base_u16x32 = _mm512_add_epi16(base_u16x32, _mm512_set1_epi16(BLOCK));
        if (EC_UNLIKELY(bad != 0)) {
            at += (int64_t)_tzcnt_u64(bad);
            break;
        }
    }
    if (ended <= 0) return 0;
    const __m512i last_u8x64 = _mm512_loadu_si512(chunk + at - BLOCK);
    const int64_t last_end = index->end[ended - 1];
    index->count = ended;
    __m512i points_u64x8 = _mm512_sad_epu8(points_u8x64, _mm512_setzero_si512());
    index->points = (int32_t)_mm512_reduce_add_epi64(points_u64x8) -
                    ec_count_between(ec_equal_avx512(last_u8x64, '.'), last_end, at);
    index->exponents = exponent_count - ec_count_between(exponents_of(last_u8x64), last_end, at);
    return 1;
}

int ec_index_single_avx512(const uint8_t *chunk, int64_t length, ec_number_index *index) {
    int64_t commas = 0, exponents = 0;
    for (int64_t at = 0; at < SAMPLE * BLOCK && at < length; at += BLOCK) {
        const __m512i text_u8x64 = _mm512_loadu_si512(chunk + at);
        commas += (int64_t)_mm_popcnt_u64(ec_equal_avx512(text_u8x64, ','));
        exponents += (int64_t)_mm_popcnt_u64(exponents_of(text_u8x64));
    }
    if (!ec_index_gap_single(chunk, length, index)) return 0;
    return exponents * EC_DENSE > commas ? index_ends(chunk, length, index, 1) : index_ends(chunk, length, index, 0);
}

EC_TARGET_END

#endif
