/* The dots and sums of AArch64, with the instructions that every such CPU has: int8 products are widened to 16 bits
 * (vmull_s8) and pairs of them added to 32 bits (vpadalq_s16). One product fits 16 bits, even -128 * -128. */
#include "neon_i8.h"

#if defined(EC_AARCH64)

enum { GROUP = 2 };

/* Adds pairs of products to the sums: lane i takes bytes 2 i and 2 i + 1 of the lower halves of a and b; add_high()
 * takes those of the upper halves. */
EC_INLINE int32x4_t add_low(int32x4_t sums, int8x16_t a, int8x16_t b) {
    return vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
}

EC_INLINE int32x4_t add_high(int32x4_t sums, int8x16_t a, int8x16_t b) {
    return vpadalq_s16(sums, vmull_high_s8(a, b));
}

EC_INLINE int32x4_t add_products(int32x4_t sums, int8x16_t a, int8x16_t b) {
    return add_high(add_low(sums, a, b), a, b);
}

/* The 8 x 8 transpose of pairs of codes: of eight rows of 16 codes it makes eight vectors, of which vector i holds the
 * codes 2 i and 2 i + 1 of each row. A round interleaves vectors i and i + 4. It rotates the six bits of a pair's
 * address (row, column) by one, so that three rounds exchange row and column. */
EC_INLINE void transpose_u16x8(uint16x8_t v[8]) {
    for (int round = 0; round < 3; round++) {
        uint16x8_t mixed[8];
        for (int i = 0; i < 4; i++) {
            mixed[2 * i] = vzip1q_u16(v[i], v[i + 4]);
            mixed[2 * i + 1] = vzip2q_u16(v[i], v[i + 4]);
        }
        for (int i = 0; i < 8; i++) v[i] = mixed[i];
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const int64_t n_pairs = (dimension + 1) / 2;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t d = 0; d < dimension; d += 16)
            for (int64_t r = first; r < first + EC_STRIP; r += 8) {
                uint16x8_t pairs[8];
                for (int i = 0; i < 8; i++) {
                    const uint8_t *row = (const uint8_t *)rows + (r + i < n_rows ? (r + i) * stride_bytes + d : 0);
                    pairs[i] = vreinterpretq_u16_s8(ec_load_i8x16(row, r + i < n_rows ? dimension - d : 0, flip));
                }
                transpose_u16x8(pairs);
                uint8_t *out = (uint8_t *)panel + (first * n_pairs + d / 2 * EC_STRIP + r - first) * 2;
                for (int i = 0; i < 8 && d / 2 + i < n_pairs; i++)
                    vst1q_u8(out + i * 2 * EC_STRIP, vreinterpretq_u8_u16(pairs[i]));
            }
}

EC_INLINE ec_sums_i32x16 add_group(ec_sums_i32x16 sums, const uint8_t *group, const uint8_t *codes) {
    int16_t pair;
    memcpy(&pair, codes, 2);
    const int8x16_t low_rows = ec_load_i8x16(group, 16, 0), high_rows = ec_load_i8x16(group + 16, 16, 0);
    const int8x16_t codes_i8x16 = vreinterpretq_s8_s16(vdupq_n_s16(pair));
    sums.v0 = add_low(sums.v0, low_rows, codes_i8x16);
    sums.v1 = add_high(sums.v1, low_rows, codes_i8x16);
    sums.v2 = add_low(sums.v2, high_rows, codes_i8x16);
    sums.v3 = add_high(sums.v3, high_rows, codes_i8x16);
    return sums;
}

#include "neon_slots.h"

EC_SLOTS(dot_f32, neon);

EC_SLOTS(dot, neon) {
    ec_dot_by_rows(table);
    lay_i8(table);
    ec_slots_dot_f32_neon(table);
}
#endif
