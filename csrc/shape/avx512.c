/* Shaping with AVX-512, sixteen dimensions a register. */
#include "shape.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

#include "../lowbit/avx512_levels.h"
#define EC_OF_TIER(name) name##_avx512
#include "loops.h"

enum { LANES = 16 };
typedef __m512 floats;
typedef __m512i integers;

EC_INLINE floats load(const float *values) { return _mm512_loadu_ps(values); }
EC_INLINE void store(float *values, floats x) { _mm512_storeu_ps(values, x); }
EC_INLINE void store_integers(int32_t *values, integers x) { _mm512_storeu_si512(values, x); }
EC_INLINE floats splat(float x) { return _mm512_set1_ps(x); }
EC_INLINE floats subtract(floats a, floats b) { return _mm512_sub_ps(a, b); }
EC_INLINE floats multiply(floats a, floats b) { return _mm512_mul_ps(a, b); }
EC_INLINE floats add_product(floats sum, floats a, floats b) { return _mm512_fmadd_ps(a, b, sum); }
EC_INLINE uint32_t less(floats a, floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
EC_INLINE floats look_up(const int bits, const float table[16], integers at) {
    (void)bits;
    return _mm512_permutexvar_ps(at, load(table));
}

EC_INLINE integers find(const int bits, const ec_levels *to, floats level) {
    return ec_search_f32x16(bits, level, load(to->edges));
}

#include "panel.h"

EC_SLOTS(shape, avx512) {
    table->shape_panel_f32 = shape_panel_f32;
    table->shape_errors_f32 = shape_errors_f32_avx512;
}

EC_TARGET_END
#endif
