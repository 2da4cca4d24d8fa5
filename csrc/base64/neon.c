/* Base64 with NEON, 48 bytes <-> 64 characters a step: interleaving loads and stores (ld3/st4, ld4/st3) sort the bytes
 * of the groups into registers. */
#include <stdbool.h>

#include "groups.h"

#if defined(EC_AARCH64)

EC_INLINE uint8x16x4_t load_table(const uint8_t *table) {
    uint8x16x4_t t = {{vld1q_u8(table), vld1q_u8(table + 16), vld1q_u8(table + 32), vld1q_u8(table + 48)}};
    return t;
}

/* Encodes 48 bytes: byte i of all sixteen groups is in register i.
 *
 *     bytes   aaaaaabb  bbbbcccc  ccdddddd
 *     sixes   00aaaaaa  00bbbbbb  00cccccc  00dddddd */
EC_INLINE void encode_block(const uint8_t *bytes, uint8_t *text, uint8x16x4_t characters) {
    const uint8x16_t six = vdupq_n_u8(0x3f);
    uint8x16x3_t in = vld3q_u8(bytes);
    uint8x16x4_t out;
    out.val[0] = vqtbl4q_u8(characters, vshrq_n_u8(in.val[0], 2));
    out.val[1] = vqtbl4q_u8(characters, vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[1], 4), in.val[0], 4), six));
    out.val[2] = vqtbl4q_u8(characters, vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[2], 6), in.val[1], 2), six));
    out.val[3] = vqtbl4q_u8(characters, vandq_u8(in.val[2], six));
    vst4q_u8(text, out);
}

static void encode_neon(const uint8_t *bytes, int64_t n, uint8_t *text) {
    if (n < 48) {
        ec_base64_encode_scalar(bytes, n, text);
        return;
    }
    const uint8x16x4_t characters = load_table(ec_base64_characters);
    int64_t i = 0;
    for (; i + 48 <= n; i += 48) encode_block(bytes + i, text + i / 3 * 4, characters);
    /* The last step ends where the text ends, and writes some characters again. */
    if (i < n) encode_block(bytes + n - 48, text + (n - 48) / 3 * 4, characters);
}

/* The values of sixteen characters. A look-up outside its 64 entries gives 0, so that `or` joins the two halves of the
 * table of ASCII. A character that is not ASCII gives 0 in both, and its own top bit marks it in *bad. */
EC_INLINE uint8x16_t decode_values(uint8x16_t text, uint8x16x4_t low, uint8x16x4_t high, uint8x16_t *bad) {
    uint8x16_t values = vorrq_u8(vqtbl4q_u8(low, text), vqtbl4q_u8(high, veorq_u8(text, vdupq_n_u8(0x40))));
    *bad = vorrq_u8(*bad, vorrq_u8(text, values));
    return values;
}

/* Decodes 64 characters: character i of all sixteen groups is in register i. Returns whether all are in the alphabet.
 *
 *     values  00aaaaaa  00bbbbbb  00cccccc  00dddddd
 *     bytes   aaaaaabb  bbbbcccc  ccdddddd */
EC_INLINE bool decode_block(const uint8_t *text, uint8_t *bytes, uint8x16x4_t low, uint8x16x4_t high) {
    uint8x16x4_t in = vld4q_u8(text);
    uint8x16_t bad = vdupq_n_u8(0);
    uint8x16_t a = decode_values(in.val[0], low, high, &bad), b = decode_values(in.val[1], low, high, &bad);
    uint8x16_t c = decode_values(in.val[2], low, high, &bad), d = decode_values(in.val[3], low, high, &bad);
    if (EC_UNLIKELY(vmaxvq_u8(bad) >= EC_BASE64_BAD)) return false;
    uint8x16x3_t out;
    out.val[0] = vsliq_n_u8(vshrq_n_u8(b, 4), a, 2);
    out.val[1] = vsliq_n_u8(vshrq_n_u8(c, 2), b, 4);
    out.val[2] = vsliq_n_u8(d, c, 6);
    vst3q_u8(bytes, out);
    return true;
}

static int64_t decode_neon(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags) {
    if (n < 64) return ec_base64_decode_scalar(text, n, bytes, flags);
    const uint8_t *values = ec_base64_table(flags);
    const uint8x16x4_t low = load_table(values), high = load_table(values + 64);
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
        if (!decode_block(text + i, bytes + i / 4 * 3, low, high)) return i;
    /* The last step ends where the text ends, and decodes some groups again. */
    if (i < n && !decode_block(text + n - 64, bytes + (n - 64) / 4 * 3, low, high)) return i;
    return n;
}

EC_SLOTS(base64, neon) {
    table->base64_encode = encode_neon;
    table->base64_decode = decode_neon;
}
#endif
