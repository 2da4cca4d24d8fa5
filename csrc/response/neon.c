/* Ends of strings and lists with NEON: 64 bytes a step, and where these have a stop, 16 bytes a step to find it. The
 * tail is read by a step that overlaps the one before or, in a text of less than 16 bytes, from a copy. */
#include "../kernels.h"

#if defined(EC_AARCH64)

/* Sets the bytes that are '"', '\\', a control character, or not ASCII. */
EC_INLINE uint8x16_t string_stops(uint8x16_t chars_u8x16) {
    const uint8x16_t quote = vceqq_u8(chars_u8x16, vdupq_n_u8('"'));
    const uint8x16_t backslash = vceqq_u8(chars_u8x16, vdupq_n_u8('\\'));
    const uint8x16_t outside =
        vcltq_s8(vreinterpretq_s8_u8(chars_u8x16), vdupq_n_s8(0x20)); /* signed: 0x80 .. are negative */
    return vorrq_u8(vorrq_u8(quote, backslash), outside);
}

EC_INLINE uint8x16_t list_stops(uint8x16_t chars_u8x16) { return vceqq_u8(chars_u8x16, vdupq_n_u8(']')); }

typedef uint8x16_t stops_of(uint8x16_t chars_u8x16);

/* The number of the first byte that is set, or 16.
 *
 *     ff 00 00 ff ...    sixteen bytes, as 16-bit numbers
 *     0f f0 ...          shifted right by 4 and narrowed: four bits of each byte, 64 in all */
EC_INLINE int64_t first_of_16(uint8x16_t set_u8x16) {
    const uint8x8_t nibbles_u8x8 = vshrn_n_u16(vreinterpretq_u16_u8(set_u8x16), 4);
    const uint64_t nibbles = vget_lane_u64(vreinterpret_u64_u8(nibbles_u8x8), 0);
    return nibbles ? ec_trailing_zeros_u64(nibbles) / 4 : 16;
}

EC_INLINE int any(uint8x16_t set_u8x16) { return vmaxvq_u32(vreinterpretq_u32_u8(set_u8x16)) != 0; }

EC_INLINE int64_t first_stop(const uint8_t *text, int64_t n, stops_of *stops) {
    int64_t at = 0;
    for (; at + 64 <= n; at += 64) {
        const uint8x16_t a = stops(vld1q_u8(text + at)), b = stops(vld1q_u8(text + at + 16));
        const uint8x16_t c = stops(vld1q_u8(text + at + 32)), d = stops(vld1q_u8(text + at + 48));
        if (any(vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d)))) break;
    }
    for (; at + 16 <= n; at += 16) {
        const int64_t first = first_of_16(stops(vld1q_u8(text + at)));
        if (first < 16) return at + first;
    }
    if (at == n) return n;
    if (n >= 16) {
        const int64_t first = first_of_16(stops(vld1q_u8(text + n - 16)));
        return first < 16 ? n - 16 + first : n;
    }
    uint8_t copy[16] = {0};
    memcpy(copy, text, (size_t)n);
    const int64_t first = first_of_16(stops(vld1q_u8(copy)));
    return first < n ? first : n;
}

static int64_t string_end_neon(const uint8_t *text, int64_t n) { return first_stop(text, n, string_stops); }

static int64_t list_end_neon(const uint8_t *text, int64_t n) { return first_stop(text, n, list_stops); }

EC_SLOTS(response, neon) {
    table->string_end = string_end_neon;
    table->list_end = list_end_neon;
}
#endif
