/* Conversions between float32 and other forms of floats, as plain loops that are compiled for every tier.
 *
 *               sign | exponent | fraction        bias   the largest finite magnitude
 *     float16     1       5          10             15   0x7bff
 *     bfloat16    1       8           7            127   0x7f7f
 *     e4m3        1       4           3              7   0x7e: no infinities, all ones are NaN
 *     e5m2        1       5           2             15   0x7b
 *
 * float64 is a form, too, and is rounded when it is read. */
#ifndef EC_FLOATS_H
#define EC_FLOATS_H

#include "../kernels.h"

typedef struct {
    int bits, fraction, bias;
    uint32_t most; /* the largest finite magnitude, as bits */
} ec_small_float;

EC_INLINE float ec_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

EC_INLINE uint32_t ec_bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

EC_INLINE uint32_t ec_swap_u32(uint32_t x) { return x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24; }

EC_INLINE uint16_t ec_swap_u16(uint16_t x) { return (uint16_t)(x >> 8 | x << 8); }

/* a where a condition is not 0, else b: by masks, since gcc makes branches of choices, and no vectors of those. */
EC_INLINE uint32_t ec_choose_u32(uint32_t condition, uint32_t a, uint32_t b) {
    const uint32_t mask = 0u - (uint32_t)(condition != 0);
    return (a & mask) | (b & ~mask);
}

/* The bits of the float32 that a code of this form stands for. */
EC_INLINE uint32_t ec_widen(uint32_t code, ec_small_float form) {
    const uint32_t magnitude = code & ((1u << (form.bits - 1)) - 1), sign = code >> (form.bits - 1) << 31;
    const uint32_t shifted = magnitude << (23 - form.fraction);
    const uint32_t normal = shifted + ((uint32_t)(127 - form.bias) << 23);
    /* subnormal: a fraction without a leading one gets one, which is subtracted again as a float */
    const float led = ec_float_of_bits(normal + (1u << 23)), lead = ec_float_of_bits((uint32_t)(128 - form.bias) << 23);
    uint32_t bits = ec_choose_u32(magnitude >> form.fraction, normal, ec_bits_of_float(led - lead));
    bits = ec_choose_u32(magnitude > form.most, 0x7f800000u | (shifted & 0x7fffffu), bits);
    return sign | bits;
}

/* The code of this form nearest to a float32, ties to even. Sets *beyond where the code is not finite. */
EC_INLINE uint32_t ec_narrow(uint32_t bits, ec_small_float form, uint32_t *beyond) {
    const int cut = 23 - form.fraction;
    const uint32_t magnitude = bits & 0x7fffffffu, sign = bits >> 31 << (form.bits - 1);
    const uint32_t even = (magnitude >> cut & 1) + (1u << (cut - 1)) - 1;
    const uint32_t normal = ((magnitude + even) >> cut) - ((uint32_t)(127 - form.bias) << form.fraction);
    /* below the normal numbers the sum with a float whose last place is that of the form's subnormals does the
     * rounding */
    const uint32_t last_place = (uint32_t)(127 + 1 - form.bias + cut) << 23;
    const float sum = ec_float_of_bits(magnitude) + ec_float_of_bits(last_place);
    const uint32_t least_normal = (uint32_t)(128 - form.bias) << 23;
    const uint32_t code = ec_choose_u32(magnitude < least_normal, ec_bits_of_float(sum) - last_place, normal);
    *beyond |= code > form.most;
    return sign | code;
}

EC_INLINE uint64_t ec_swap_u64(uint64_t x) {
    return (uint64_t)ec_swap_u32((uint32_t)x) << 32 | ec_swap_u32((uint32_t)(x >> 32));
}

/* The bits of the float32 nearest to a float64, and below, those of the float64 equal to a float32. */
EC_INLINE uint32_t ec_round_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return ec_bits_of_float((float)value);
}

EC_INLINE uint64_t ec_extend_f32(uint32_t bits) {
    const double value = ec_float_of_bits(bits);
    uint64_t wide;
    memcpy(&wide, &value, 8);
    return wide;
}

#define EC_LOOP_ROUND_F64(swapped)                            \
    for (int64_t i = 0; i < count; i++) {                     \
        uint64_t wide;                                        \
        memcpy(&wide, bytes + 8 * i, 8);                      \
        const uint32_t rounded = ec_round_f64(swapped(wide)); \
        memcpy(out + 4 * i, &rounded, 4);                     \
    }

#define EC_LOOP_EXTEND_F32(swapped)                           \
    for (int64_t i = 0; i < count; i++) {                     \
        uint32_t narrow;                                      \
        memcpy(&narrow, in + 4 * i, 4);                       \
        const uint64_t wide = swapped(ec_extend_f32(narrow)); \
        memcpy(bytes + 8 * i, &wide, 8);                      \
    }

/* Elements of two bytes or of one. */
#define EC_LOOP_WIDEN(type, swapped, form)                            \
    for (int64_t i = 0; i < count; i++) {                             \
        type code;                                                    \
        memcpy(&code, bytes + i * (int64_t)sizeof code, sizeof code); \
        const uint32_t wide = ec_widen(swapped(code), form);          \
        memcpy(out + 4 * i, &wide, 4);                                \
    }

#define EC_LOOP_NARROW(type, swapped, form)                              \
    for (int64_t i = 0; i < count; i++) {                                \
        uint32_t wide;                                                   \
        memcpy(&wide, in + 4 * i, 4);                                    \
        const type code = swapped((type)ec_narrow(wide, form, &beyond)); \
        memcpy(bytes + i * (int64_t)sizeof code, &code, sizeof code);    \
    }

#define EC_AS_IT_IS(code) (code)

static const ec_small_float EC_FLOAT16 = {.bits = 16, .fraction = 10, .bias = 15, .most = 0x7bff};
static const ec_small_float EC_BFLOAT16 = {.bits = 16, .fraction = 7, .bias = 127, .most = 0x7f7f};
static const ec_small_float EC_E4M3 = {.bits = 8, .fraction = 3, .bias = 7, .most = 0x7e};
static const ec_small_float EC_E5M2 = {.bits = 8, .fraction = 2, .bias = 15, .most = 0x7b};

EC_INLINE void ec_loop_swap(const uint8_t *EC_RESTRICT in, int64_t count, uint8_t *EC_RESTRICT out) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, in + 4 * i, 4);
        bits = ec_swap_u32(bits);
        memcpy(out + 4 * i, &bits, 4);
    }
}

EC_INLINE void ec_loop_widen(const uint8_t *EC_RESTRICT bytes, int64_t count, int32_t payload,
                             uint8_t *EC_RESTRICT out) {
    switch (payload) {
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT32: ec_loop_swap(bytes, count, out); break;
    case EC_PAYLOAD_FLOAT16: EC_LOOP_WIDEN(uint16_t, EC_AS_IT_IS, EC_FLOAT16) break;
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT16: EC_LOOP_WIDEN(uint16_t, ec_swap_u16, EC_FLOAT16) break;
    case EC_PAYLOAD_BFLOAT16: EC_LOOP_WIDEN(uint16_t, EC_AS_IT_IS, EC_BFLOAT16) break;
    case EC_PAYLOAD_BIG_ENDIAN_BFLOAT16: EC_LOOP_WIDEN(uint16_t, ec_swap_u16, EC_BFLOAT16) break;
    case EC_PAYLOAD_E4M3: EC_LOOP_WIDEN(uint8_t, EC_AS_IT_IS, EC_E4M3) break;
    case EC_PAYLOAD_E5M2: EC_LOOP_WIDEN(uint8_t, EC_AS_IT_IS, EC_E5M2) break;
    case EC_PAYLOAD_FLOAT64: EC_LOOP_ROUND_F64(EC_AS_IT_IS) break;
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT64: EC_LOOP_ROUND_F64(ec_swap_u64) break;
    default: memcpy(out, bytes, (size_t)(4 * count)); break;
    }
}

/* Returns 0 where a float does not become a finite one. */
EC_INLINE int32_t ec_loop_narrow(const uint8_t *EC_RESTRICT in, int64_t count, int32_t payload,
                                 uint8_t *EC_RESTRICT bytes) {
    uint32_t beyond = 0;
    switch (payload) {
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT32: ec_loop_swap(in, count, bytes); break;
    case EC_PAYLOAD_FLOAT16: EC_LOOP_NARROW(uint16_t, EC_AS_IT_IS, EC_FLOAT16) break;
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT16: EC_LOOP_NARROW(uint16_t, ec_swap_u16, EC_FLOAT16) break;
    case EC_PAYLOAD_BFLOAT16: EC_LOOP_NARROW(uint16_t, EC_AS_IT_IS, EC_BFLOAT16) break;
    case EC_PAYLOAD_BIG_ENDIAN_BFLOAT16: EC_LOOP_NARROW(uint16_t, ec_swap_u16, EC_BFLOAT16) break;
    case EC_PAYLOAD_E4M3: EC_LOOP_NARROW(uint8_t, EC_AS_IT_IS, EC_E4M3) break;
    case EC_PAYLOAD_E5M2: EC_LOOP_NARROW(uint8_t, EC_AS_IT_IS, EC_E5M2) break;
    case EC_PAYLOAD_FLOAT64: EC_LOOP_EXTEND_F32(EC_AS_IT_IS) break;
    case EC_PAYLOAD_BIG_ENDIAN_FLOAT64: EC_LOOP_EXTEND_F32(ec_swap_u64) break;
    default: memcpy(bytes, in, (size_t)(4 * count)); break;
    }
    return !beyond;
}

/* ---- guesses at the form of bytes: guess.c, guess_codes.c ---- */

enum { EC_GUESS_ROWS = 4 /* rows looked at one by one, because a row of zeros tells nothing */ };

/* Returns `asked`, a payload of codes, unless the rows all but certainly are of other codes; then their payload. */
int32_t ec_codes_guess(const uint8_t *matrix, int64_t rows, int64_t row_bytes, int32_t asked);

/* The payload of codes that the bytes are most like. */
int32_t ec_codes_nearest(const uint8_t *bytes, int64_t n);

#endif
