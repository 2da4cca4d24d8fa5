/* The kernels of the family, which find the end of a string or a list, in plain C: the specification. */
#include "../kernels.h"

#define BYTES(x) ((uint64_t)0x0101010101010101u * (x))
#define HIGH_BITS BYTES(0x80)

/* Sets the high bit of the lowest byte that is zero, and perhaps of bytes above it, but of none below. */
static uint64_t zero_bytes(uint64_t x) { return (x - BYTES(1)) & ~x & HIGH_BITS; }

/* Returns the position of the first byte that ends or interrupts a plain JSON string: '"', '\\', a control character,
 * or a byte that is not ASCII; n where there is none. */
static int64_t string_end_scalar(const uint8_t *text, int64_t n) {
    int64_t at = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; at + 8 <= n; at += 8) {
        uint64_t chars = ec_load_u64(text + at);
        uint64_t control = (chars - BYTES(0x20)) | chars;
        uint64_t stop = (zero_bytes(chars ^ BYTES('"')) | zero_bytes(chars ^ BYTES('\\')) | control) & HIGH_BITS;
        if (stop) return at + ec_trailing_zeros_u64(stop) / 8;
    }
#endif
    for (; at < n; at++)
        if (text[at] == '"' || text[at] == '\\' || text[at] < 0x20 || text[at] >= 0x80) break;
    return at;
}

/* Returns the position of the first ']', or n. */
static int64_t list_end_scalar(const uint8_t *text, int64_t n) {
    const uint8_t *end = n > 0 ? memchr(text, ']', (size_t)n) : NULL;
    return end ? end - text : n;
}

EC_SLOTS(response, scalar) {
    table->string_end = string_end_scalar;
    table->list_end = list_end_scalar;
}

EC_INSTALL(response, EC_SCALAR(response) EC_AVX2(response) EC_AVX512(response) EC_NEON(response))
