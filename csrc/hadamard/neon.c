/* The fast Walsh-Hadamard transform with NEON: four rounds within four registers, then two rounds a pass. */
#include "../bits/neon.h"
#include "hadamard.h"

#if defined(EC_AARCH64)

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    float32x4_t a, b, c, d;
} vectors;

/* One round: between a and b, and between c and d. */
EC_INLINE vectors round_of_neighbours(vectors x) {
    const vectors y = {vaddq_f32(x.a, x.b), vsubq_f32(x.a, x.b), vaddq_f32(x.c, x.d), vsubq_f32(x.c, x.d)};
    return y;
}

/* Two rounds between a, b, c and d: between neighbours, then between those two apart. */
EC_INLINE vectors two_rounds(vectors x) {
    x = round_of_neighbours(x);
    const vectors y = {vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d), vsubq_f32(x.a, x.c), vsubq_f32(x.b, x.d)};
    return y;
}

/* The 4 x 4 transpose. */
EC_INLINE vectors transpose(vectors x) {
    const float32x4_t ab0 = vtrn1q_f32(x.a, x.b), ab1 = vtrn2q_f32(x.a, x.b);
    const float32x4_t cd0 = vtrn1q_f32(x.c, x.d), cd1 = vtrn2q_f32(x.c, x.d);
    const vectors y = {
        vcombine_f32(vget_low_f32(ab0), vget_low_f32(cd0)), vcombine_f32(vget_low_f32(ab1), vget_low_f32(cd1)),
        vcombine_f32(vget_high_f32(ab0), vget_high_f32(cd0)), vcombine_f32(vget_high_f32(ab1), vget_high_f32(cd1))};
    return y;
}

EC_INLINE vectors load(const void *values, int64_t i, int64_t step) {
    const vectors x = {ec_load_f32x4(values, i), ec_load_f32x4(values, i + step), ec_load_f32x4(values, i + 2 * step),
                       ec_load_f32x4(values, i + 3 * step)};
    return x;
}

EC_INLINE void store(void *values, int64_t i, int64_t step, vectors x) {
    ec_store_f32x4(values, i, x.a);
    ec_store_f32x4(values, i + step, x.b);
    ec_store_f32x4(values, i + 2 * step, x.c);
    ec_store_f32x4(values, i + 3 * step, x.d);
}

static void hadamard_f32_neon(void *values, int64_t count) {
    if (count < 16) {
        ec_hadamard_f32_scalar(values, count);
        return;
    }
    /* Two rounds between registers, a transpose, which turns neighbours within a register into neighbouring registers,
     * two rounds more, and back. */
    for (int64_t i = 0; i < count; i += 16)
        store(values, i, 4, two_rounds(transpose(two_rounds(transpose(load(values, i, 4))))));
    int64_t half = 16;
    for (; 4 * half <= count; half *= 4)
        for (int64_t begin = 0; begin < count; begin += 4 * half)
            for (int64_t i = begin; i < begin + half; i += 4) store(values, i, half, two_rounds(load(values, i, half)));
    if (2 * half <= count)
        for (int64_t i = 0; i < half; i += 4) {
            const float32x4_t a = ec_load_f32x4(values, i), b = ec_load_f32x4(values, i + half);
            ec_store_f32x4(values, i, vaddq_f32(a, b));
            ec_store_f32x4(values, i + half, vsubq_f32(a, b));
        }
}

EC_SLOTS(hadamard, neon) { table->hadamard_f32 = hadamard_f32_neon; }

#endif
