/* The slots by which float queries become codes: the loops of fold.h, once for each tier of x86-64; AArch64's vectors are
 * in the baseline. */
#include "fold.h"

#define SLOTS_OF(tier)                                                                                       \
    static uint32_t fold_f32_##tier(const void *values, int64_t dimension, const float *steps, float step,   \
                                    float *folded) {                                                         \
        return steps ? ec_loop_fold(values, dimension, steps, 0, folded)                                     \
                     : ec_loop_fold(values, dimension, NULL, step, folded);                                  \
    }                                                                                                        \
    static double weigh_f32_##tier(const void *values, int64_t dimension, const float *weights) {            \
        return weights ? ec_loop_weigh(values, dimension, weights) : ec_loop_weigh(values, dimension, NULL); \
    }                                                                                                        \
    static void round_f32_##tier(const float *folded, int64_t dimension, double inverse, int8_t *codes) {    \
        ec_loop_round(folded, dimension, inverse, codes);                                                    \
    }                                                                                                        \
    void ec_fold_install_##tier(ec_kernels *table) {                                                         \
        table->fold_f32 = fold_f32_##tier;                                                                   \
        table->weigh_f32 = weigh_f32_##tier;                                                                 \
        table->round_f32 = round_f32_##tier;                                                                 \
    }

SLOTS_OF(scalar)

#if defined(EC_X86_64)
EC_TARGET_AVX2
SLOTS_OF(avx2)
EC_TARGET_END

EC_TARGET_AVX512
SLOTS_OF(avx512)
EC_TARGET_END
#endif
