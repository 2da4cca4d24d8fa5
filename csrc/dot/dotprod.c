/* int8 dots with sdot of Armv8.2, which adds four products of bytes to each 32-bit lane. In tiles a lane is a row, with
 * its codes in groups of four. All other slots are NEON's.
 *
 *     row 0  a0 a1 a2 a3 | a4 ...              group 0: a0..a3 of rows 0 .. 15, 64 bytes; group 1: a4..a7; ...
 *     row 1  b0 b1 b2 b3 | b4 ...              the last group is filled up with zeros */
#include "neon_i8.h"

#if defined(EC_HAS_DOTPROD)
EC_TARGET_DOTPROD

enum { GROUP = 4 };

/* The 4 x 4 transpose of groups of four codes: vector i becomes group i of all four rows. */
EC_INLINE void transpose_u32x4(uint32x4_t v[4]) {
    const uint32x4_t a = vtrn1q_u32(v[0], v[1]), b = vtrn2q_u32(v[0], v[1]);
    const uint32x4_t c = vtrn1q_u32(v[2], v[3]), d = vtrn2q_u32(v[2], v[3]);
    v[0] = vcombine_u32(vget_low_u32(a), vget_low_u32(c));
    v[1] = vcombine_u32(vget_low_u32(b), vget_low_u32(d));
    v[2] = vcombine_u32(vget_high_u32(a), vget_high_u32(c));
    v[3] = vcombine_u32(vget_high_u32(b), vget_high_u32(d));
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const int64_t groups = (dimension + 3) / 4;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t d = 0; d < dimension; d += 16)
            for (int64_t r = 0; r < EC_STRIP; r += 4) {
                uint32x4_t codes[4];
                for (int i = 0; i < 4; i++) {
                    const int64_t row = first + r + i;
                    const uint8_t *p = (const uint8_t *)rows + (row < n_rows ? row * stride_bytes + d : 0);
                    codes[i] = vreinterpretq_u32_s8(ec_load_i8x16(p, row < n_rows ? dimension - d : 0, flip));
                }
                transpose_u32x4(codes);
                uint8_t *out = (uint8_t *)panel + (first / EC_STRIP * groups + d / 4) * GROUP * EC_STRIP + 4 * r;
                for (int i = 0; i < 4 && d / 4 + i < groups; i++)
                    vst1q_u8(out + i * GROUP * EC_STRIP, vreinterpretq_u8_u32(codes[i]));
            }
}

EC_INLINE int32x4_t add_products(int32x4_t sums, int8x16_t a, int8x16_t b) { return vdotq_s32(sums, a, b); }

EC_INLINE ec_sums_i32x16 add_group(ec_sums_i32x16 sums, const uint8_t *group, const uint8_t *codes) {
    const int8x16_t codes_i8x16 = vreinterpretq_s8_u32(vdupq_n_u32(ec_load_u32(codes)));
    sums.v0 = vdotq_s32(sums.v0, ec_load_i8x16(group, 16, 0), codes_i8x16);
    sums.v1 = vdotq_s32(sums.v1, ec_load_i8x16(group + 16, 16, 0), codes_i8x16);
    sums.v2 = vdotq_s32(sums.v2, ec_load_i8x16(group + 32, 16, 0), codes_i8x16);
    sums.v3 = vdotq_s32(sums.v3, ec_load_i8x16(group + 48, 16, 0), codes_i8x16);
    return sums;
}

#include "neon_slots.h"

EC_TARGET_END

EC_SLOTS(dot, dotprod) { lay_i8(table); }
#endif
