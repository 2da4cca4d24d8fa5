/* Shaping with AVX2, eight dimensions a register. */
#include "shape.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

#include "../lowbit/avx2_levels.h"
#define EC_OF_TIER(name) name##_avx2
#include "loops.h"

enum { LANES = 8 };
typedef __m256 floats;
typedef __m256i integers;

EC_INLINE floats load(const float *values) { return _mm256_loadu_ps(values); }
EC_INLINE void store(float *values, floats x) { _mm256_storeu_ps(values, x); }
EC_INLINE void store_integers(int32_t *values, integers x) { _mm256_storeu_si256((__m256i *)(void *)values, x); }
EC_INLINE floats splat(float x) { return _mm256_set1_ps(x); }
EC_INLINE floats subtract(floats a, floats b) { return _mm256_sub_ps(a, b); }
EC_INLINE floats multiply(floats a, floats b) { return _mm256_mul_ps(a, b); }
EC_INLINE floats add_product(floats sum, floats a, floats b) { return _mm256_fmadd_ps(a, b, sum); }
EC_INLINE uint32_t less(floats a, floats b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
EC_INLINE floats look_up(const int bits, const float table[16], integers at) {
    return bits < 4 ? _mm256_permutevar8x32_ps(load(table), at) : ec_look_up_f32x8(table, at);
}

EC_INLINE integers find(const int bits, const ec_levels *to, floats level) {
    return ec_count_below_f32x8(bits, level, to->edges);
}

#include "panel.h"

EC_SLOTS(shape, avx2) {
    table->shape_panel_f32 = shape_panel_f32;
    table->shape_errors_f32 = shape_errors_f32_avx2;
}

EC_TARGET_END
#endif
