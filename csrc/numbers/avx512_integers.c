/* Arrays of small integers with AVX-512: all numbers of a block of 64 bytes at once. */
#include "avx2.h"
#include "avx512.h"

#if defined(EC_X86_64)

EC_TARGET_AVX512

enum { LONG_TEXT = 1024 }; /* bytes */

/* Reads from *start on, where an element begins, to the end of the text or the first block that is not plain. Returns
 * how many numbers it has written, at most `room`, with *start behind the comma of the last one.
 *
 * For every byte the value of the up to three digits before it is computed; it counts where a number's integer part
 * ends:
 *
 *     text      1 2 3 , - 4 5 , 6
 *     value     . . . 123   . . 45     ones from the byte before, tens and hundreds from those before it
 *
 * Loads are masked to the text, whose last bracket is taken for a comma:
 *
 *     text      [ 1 , 2 2 ]          loads of earlier bytes reach back to the opening bracket, no further
 *     block       1 , 2 2 , . . .    spaces behind it */
static int64_t read(const uint8_t *text, int64_t n, int64_t *start, uint8_t *out, int64_t room, int32_t type) {
    const __m512i zero_u8x64 = _mm512_set1_epi8('0'), nine_u8x64 = _mm512_set1_epi8(9);
    const __m512i tens_table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0, 0, 0, 0));
    const __m512i hundreds_table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 100, (char)200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m512i highest_u8x64 = _mm512_set1_epi8((char)(type == EC_INT8 ? 127 : 255));
    const __m512i lowest_u8x64 = _mm512_set1_epi8((char)(type == EC_INT8 ? 128 : 0)); /* its magnitude */
    ec_number_carry carry = {0, 0, 0, 0, 0};
    uint64_t negative_carry = 0, bad = 0;
    int64_t at = *start, ended = 0, written = 0;
    /* If text follows the array, its bracket comes earlier, which is a byte that is not plain. */
    const int64_t last = text[n - 1] == ']' ? n - 1 : n;
    const __m512i closing_u8x64 = _mm512_set1_epi8(last < n ? ',' : 0);
    /* For the bytes two, three and four before: no lanes before the text. */
    __mmask64 tens_lanes = ~(__mmask64)1, hundreds_lanes = ~(__mmask64)3, thousands_lanes = ~(__mmask64)7;

    for (; at <= last && bad == 0; at += BLOCK) {
        const uint8_t *block = text + at;
        __mmask64 lanes = UINT64_MAX;
        __m512i block_u8x64;
        if (last - at >= BLOCK) {
            block_u8x64 = _mm512_loadu_si512(block);
        } else {
            uint64_t closing = (uint64_t)1 << (last - at);
            lanes = closing - 1;
            block_u8x64 = _mm512_mask_loadu_epi8(_mm512_mask_blend_epi8(closing, _mm512_set1_epi8(' '), closing_u8x64),
                                                 lanes, block);
            lanes |= closing;
        }
        ec_number_classes classes = ec_classify_avx512(block_u8x64);
        ec_number_marks marks = ec_number_mark(&classes, &carry);

        /* Adding the first digits of negative numbers carries to the bytes behind their integer parts. */
        uint64_t sum = classes.digits + marks.negative, carried = sum + negative_carry;
        uint64_t negative = carried & ~classes.digits;
        negative_carry = (uint64_t)(sum < classes.digits) | (uint64_t)(carried < sum);

        __m512i ones_u8x64 = _mm512_sub_epi8(_mm512_maskz_loadu_epi8(lanes, block - 1), zero_u8x64);
        __m512i tens_u8x64 = _mm512_sub_epi8(_mm512_maskz_loadu_epi8(lanes & tens_lanes, block - 2), zero_u8x64);
        __m512i hundreds_u8x64 =
            _mm512_sub_epi8(_mm512_maskz_loadu_epi8(lanes & hundreds_lanes, block - 3), zero_u8x64);
        __m512i thousands_u8x64 =
            _mm512_sub_epi8(_mm512_maskz_loadu_epi8(lanes & thousands_lanes, block - 4), zero_u8x64);
        tens_lanes = hundreds_lanes = thousands_lanes = UINT64_MAX;
        __mmask64 has_tens = _mm512_cmple_epu8_mask(tens_u8x64, nine_u8x64);
        __mmask64 has_hundreds = _mm512_mask_cmple_epu8_mask(has_tens, hundreds_u8x64, nine_u8x64);
        __mmask64 too_long = _mm512_mask_cmple_epu8_mask(has_hundreds, thousands_u8x64, nine_u8x64);
        __m512i low_u8x64 = _mm512_add_epi8(ones_u8x64, _mm512_maskz_shuffle_epi8(has_tens, tens_table, tens_u8x64));
        __m512i high_u8x64 = _mm512_maskz_shuffle_epi8(has_hundreds, hundreds_table, hundreds_u8x64);
        __m512i value_u8x64 = _mm512_add_epi8(low_u8x64, high_u8x64);
        __mmask64 too_large =
            _mm512_mask_cmpgt_epu8_mask(has_hundreds, hundreds_u8x64, _mm512_set1_epi8(2)) |
            _mm512_cmplt_epu8_mask(value_u8x64, low_u8x64) |
            _mm512_cmpgt_epu8_mask(value_u8x64, _mm512_mask_blend_epi8(negative, highest_u8x64, lowest_u8x64));
        value_u8x64 = _mm512_mask_sub_epi8(value_u8x64, negative, _mm512_setzero_si512(), value_u8x64);

        bad =
            marks.bad | classes.exponents | (marks.fraction & ~classes.zeros) | ((too_long | too_large) & marks.point);
        uint64_t end = marks.end, point = marks.point;
        if (EC_UNLIKELY(bad != 0)) {
            uint64_t sound = (bad & (0 - bad)) - 1;
            end &= sound;
            point &= sound;
        }
        int64_t values = (int64_t)_mm_popcnt_u64(point);
        if (EC_UNLIKELY(values > room - written)) { /* scalar finds the number that has no room */
            bad = 1;
            break;
        }
        _mm512_mask_storeu_epi8(out + written, _bzhi_u64(UINT64_MAX, (uint32_t)values),
                                _mm512_maskz_compress_epi8(point, value_u8x64));
        written += values;
        ended += (int64_t)_mm_popcnt_u64(end);
        if (bad != 0) {
            if (end != 0) {
                *start = at + 64 - ec_leading_zeros_u64(end);
                return ended;
            }
            break;
        }
    }
    if (bad == 0) {
        *start = n;
        return ended;
    }
    /* Numbers whose commas were not reached are read again, so go back to the last comma. */
    while (at > *start && text[at - 1] != ',') at--;
    *start = at;
    return ended;
}

ec_result ec_integers_parse_avx512(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type) {
    int64_t at = 1, produced = 0;
    /* AVX2's way is faster, but not for a few numbers, nor for numbers with points. */
    if (n >= LONG_TEXT && !memchr(text, '.', BLOCK)) return ec_integers_parse_avx2(text, n, out, capacity, type);
    for (;;) {
        produced += read(text, n, &at, out + produced, capacity - produced, type);
        if (at == n && text[n - 1] == ']') return ec_number_result(EC_OK, n, produced);
        ec_result result = ec_integers_parse_from(text, n, at, out, capacity, produced, type, SCALAR_ELEMENTS);
        if (result.status != EC_OK || text[result.consumed - 1] == ']') return result;
        at = result.consumed;
        produced = result.produced;
    }
}

EC_TARGET_END

#endif
