/* What subjects that call slots draw their arguments from, and where these are placed. */
#ifndef SOURCE_H
#define SOURCE_H

#include <math.h>

#include "tiers.h"

/* Bytes of the input, over and over. */
typedef struct {
    const uint8_t *bytes;
    int64_t n, at;
} source;

static inline uint8_t draw(source *from) {
    uint8_t byte = from->bytes[from->at % from->n];
    from->at++;
    return (uint8_t)(byte + from->at / from->n * 37);
}

/* Floats of moderate size with full mantissas, so that the order of operations shows. */
static inline float draw_float(source *from) {
    int32_t mantissa = draw(from) | draw(from) << 8 | draw(from) << 16;
    return ldexpf((float)(mantissa - (1 << 23)), draw(from) % 8 - 26);
}

/* Any bits: NaN, infinities, subnormals, both zeros. */
static inline float draw_bits(source *from) {
    static const float ODD[8] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f, 3e38f, -1.0f};
    uint8_t kind = draw(from);
    return kind < 32 ? ODD[kind % 8] : draw_float(from);
}

static inline uint8_t *place_drawn(source *from, int64_t count, float (*next)(source *)) {
    uint8_t *values = place(count * 4);
    for (int64_t i = 0; i < count; i++) {
        float value = next(from);
        memcpy(values + 4 * i, &value, 4);
    }
    return values;
}

static inline void *place_scratch(int64_t bytes) {
    uint8_t *scratch = place(bytes + 64);
    return scratch + (64 - (uintptr_t)scratch % 64) % 64;
}

#endif
