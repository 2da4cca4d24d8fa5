/* Arrays of small integers with NEON: for every byte of a block the value of the up to three digits before it, and then
 * the values at the bytes that end a number. Interleaving loads sort bytes by their place in a group of four, so that
 * the byte one to four before is in another register; masks, which NEON does not move out of registers cheaply, are
 * shifted into one another:
 *
 *     register   0        1        2        3        4        5        6        7
 *     holds      -4,0,..  -3,1,..  -2,2,..  -1,3,..  0,4,..   1,5,..   2,6,..   3,7,.. 63
 *
 *     before the bytes of register 4 are thousands in 0, hundreds in 1, tens in 2, ones in 3
 *
 * Floats are left to scalar, which reads eight digits at a step: the method of avx2.c takes 155 instructions a number
 * on NEON, scalar 169, and none of these wait for a vector unit. */
#include "batch.h"

#if defined(EC_AARCH64)

/* A bit for each of 64 bytes that are ff or 00.
 *
 *     dddddddd cccccccc bbbbbbbb aaaaaaaa      byte i of the four: the masks of bytes 4 i + 3 .. 4 i of the text
 *     dccccccc baaaaaaa                        sri by 1, twice
 *     dcbaaaaa                                 sri by 2
 *     dcbadcba                                 sri by 4: a nibble, which narrowing takes from either half */
EC_INLINE uint64_t bits_of_64(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
    const uint8x16_t four_u8x16 = vsriq_n_u8(vsriq_n_u8(d, c, 1), vsriq_n_u8(b, a, 1), 2);
    const uint8x16_t twice_u8x16 = vsriq_n_u8(four_u8x16, four_u8x16, 4);
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(twice_u8x16), 4)), 0);
}

EC_INLINE uint64_t equal_of_64(uint8x16x4_t text, char c) {
    const uint8x16_t wanted_u8x16 = vdupq_n_u8((uint8_t)c);
    return bits_of_64(vceqq_u8(text.val[0], wanted_u8x16), vceqq_u8(text.val[1], wanted_u8x16),
                      vceqq_u8(text.val[2], wanted_u8x16), vceqq_u8(text.val[3], wanted_u8x16));
}

/* The values of digits; other characters become more than 9. */
EC_INLINE uint8x16_t digit_values(uint8x16_t text_u8x16) { return vsubq_u8(text_u8x16, vdupq_n_u8('0')); }

EC_INLINE uint8x16_t are_digits(uint8x16_t values_u8x16) { return vcltq_u8(values_u8x16, vdupq_n_u8(10)); }

EC_INLINE ec_number_classes classify(const uint8_t *block) {
    const uint8x16x4_t text = vld4q_u8(block);
    ec_number_classes classes;
    classes.digits = bits_of_64(are_digits(digit_values(text.val[0])), are_digits(digit_values(text.val[1])),
                                are_digits(digit_values(text.val[2])), are_digits(digit_values(text.val[3])));
    classes.zeros = equal_of_64(text, '0');
    classes.points = equal_of_64(text, '.');
    classes.minuses = equal_of_64(text, '-');
    classes.commas = equal_of_64(text, ',');
    classes.spaces = equal_of_64(text, ' ');
    classes.exponents = 0;
    uint64_t known = classes.digits | classes.points | classes.minuses | classes.commas | classes.spaces;
    if (EC_UNLIKELY(known != UINT64_MAX)) {
        classes.spaces |= equal_of_64(text, '\n') | equal_of_64(text, '\r') | equal_of_64(text, '\t');
        classes.exponents = equal_of_64(text, 'e') | equal_of_64(text, 'E') | equal_of_64(text, '+');
    }
    return classes;
}

/* The characters of a block and the four before it, by place in a group of four. */
typedef struct {
    uint8x16_t value[8], is_digit[8], is_minus[8];
} columns;

EC_INLINE void load_four(const uint8_t *text, columns *to, int first) {
    const uint8x16x4_t four = vld4q_u8(text);
    for (int i = 0; i < 4; i++) {
        to->value[first + i] = digit_values(four.val[i]);
        to->is_digit[first + i] = are_digits(to->value[first + i]);
        to->is_minus[first + i] = vceqq_u8(four.val[i], vdupq_n_u8('-'));
    }
}

/* Ten times a digit, 0 for another character. */
EC_INLINE uint8x16_t tens_of(uint8x16_t value_u8x16) {
    static const uint8_t TENS[16] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0, 0, 0, 0};
    return vqtbl1q_u8(vld1q_u8(TENS), value_u8x16);
}

/* A hundred times a digit, where that is a byte. */
EC_INLINE uint8x16_t hundreds_of(uint8x16_t value_u8x16) {
    static const uint8_t HUNDREDS[16] = {0, 100, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    return vqtbl1q_u8(vld1q_u8(HUNDREDS), value_u8x16);
}

/* The values before the bytes of register c, negated behind a '-'. Sets *wrong where the type does not hold them. */
EC_INLINE uint8x16_t values_before(const columns *text, int c, uint8x16_t most_u8x16, uint8x16_t most_below_zero_u8x16,
                                   uint8x16_t *wrong) {
    const uint8x16_t has_tens = text->is_digit[c - 2], has_hundreds = vandq_u8(has_tens, text->is_digit[c - 3]);
    const uint8x16_t has_thousands = vandq_u8(has_hundreds, text->is_digit[c - 4]);
    const uint8x16_t low_u8x16 = vaddq_u8(text->value[c - 1], tens_of(text->value[c - 2]));
    const uint8x16_t value_u8x16 = vaddq_u8(low_u8x16, vandq_u8(has_hundreds, hundreds_of(text->value[c - 3])));
    const uint8x16_t wrapped = vcltq_u8(value_u8x16, low_u8x16);
    const uint8x16_t over_299 = vandq_u8(has_hundreds, vcgtq_u8(text->value[c - 3], vdupq_n_u8(2)));
    const uint8x16_t behind_hundreds = vbslq_u8(text->is_digit[c - 3], text->is_minus[c - 4], text->is_minus[c - 3]);
    const uint8x16_t negative = vbslq_u8(has_tens, behind_hundreds, text->is_minus[c - 2]);
    const uint8x16_t beyond = vcgtq_u8(value_u8x16, vbslq_u8(negative, most_below_zero_u8x16, most_u8x16));
    *wrong = vorrq_u8(vorrq_u8(has_thousands, over_299), vorrq_u8(wrapped, beyond));
    return vsubq_u8(veorq_u8(value_u8x16, negative), negative);
}

/* The registers have the signs themselves, so `negative` is not used. */
static uint64_t evaluate(const uint8_t *block, uint64_t negative, int32_t type, uint8_t *values) {
    const uint8x16_t most_u8x16 = vdupq_n_u8(type == EC_INT8 ? 127 : 255);
    const uint8x16_t most_below_zero_u8x16 = vdupq_n_u8(type == EC_INT8 ? 128 : 0);
    columns text;
    uint8x16x4_t out;
    uint8x16_t wrong[4];
    (void)negative;
    load_four(block - 4, &text, 0);
    load_four(block, &text, 4);
    for (int i = 0; i < 4; i++) out.val[i] = values_before(&text, 4 + i, most_u8x16, most_below_zero_u8x16, &wrong[i]);
    vst4q_u8(values, out);
    return bits_of_64(wrong[0], wrong[1], wrong[2], wrong[3]);
}

static void pack(const uint8_t *values, uint64_t chosen, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++, chosen &= chosen - 1) out[i] = values[ec_trailing_zeros_u64(chosen)];
}

static int64_t read(const uint8_t *chunk, int64_t length, uint8_t *out, int64_t room, int32_t type, int64_t *consumed) {
    return ec_integers_read(chunk, length, out, room, type, consumed, classify, evaluate, pack);
}

static ec_result integers_parse_neon(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type) {
    return ec_integers_parse_chunks(text, n, 1, out, capacity, 0, type, read);
}

EC_SLOTS(numbers, neon) { table->integers_parse = integers_parse_neon; }

#endif
