/* Base64 in plain C: the specification of both kernels, and the code that finishes what vector tiers leave. */
#include "groups.h"

/* Encodes groups.
 *
 *     bytes       0         1         2
 *              aaaaaabb  bbbbcccc  ccdddddd
 *     sixes    00aaaaaa  00bbbbbb  00cccccc  00dddddd     each looked up */
void ec_base64_encode_scalar(const uint8_t *bytes, int64_t n, uint8_t *text) {
    for (int64_t i = 0; i + 3 <= n; i += 3, text += 4) {
        uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        text[0] = ec_base64_characters[group >> 18];
        text[1] = ec_base64_characters[group >> 12 & 63];
        text[2] = ec_base64_characters[group >> 6 & 63];
        text[3] = ec_base64_characters[group & 63];
    }
}

/* Decodes groups up to the first one with a byte that is not in the alphabet; returns the characters taken. */
int64_t ec_base64_decode_scalar(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags) {
    const uint8_t *values = ec_base64_table(flags);
    int64_t i = 0;
    for (; i + 4 <= n; i += 4, bytes += 3) {
        uint32_t a = values[text[i]], b = values[text[i + 1]], c = values[text[i + 2]], d = values[text[i + 3]];
        if ((a | b | c | d) & EC_BASE64_BAD) break;
        bytes[0] = (uint8_t)(a << 2 | b >> 4);
        bytes[1] = (uint8_t)(b << 4 | c >> 2);
        bytes[2] = (uint8_t)(c << 6 | d);
    }
    return i;
}

EC_SLOTS(base64, scalar) {
    table->base64_encode = ec_base64_encode_scalar;
    table->base64_decode = ec_base64_decode_scalar;
}

EC_INSTALL(base64, EC_SCALAR(base64) EC_AVX2(base64) EC_AVX512(base64) EC_NEON(base64))
