/* The fast Walsh-Hadamard transform in plain C, the specification: log2(count) rounds of sums and differences, in
 * place.
 *
 *     a b c d e f g h      half = 1: pairs        (a+b) (a-b) (c+d) ...
 *                          half = 2: pairs of pairs, and so on */
#include "hadamard.h"

void ec_hadamard_f32_scalar(void *values, int64_t count) {
    for (int64_t half = 1; half < count; half *= 2)
        for (int64_t begin = 0; begin < count; begin += 2 * half)
            for (int64_t i = begin; i < begin + half; i++) {
                float low = ec_load_f32_at(values, i), high = ec_load_f32_at(values, i + half);
                ec_store_f32_at(values, i, low + high);
                ec_store_f32_at(values, i + half, low - high);
            }
}

EC_SLOTS(hadamard, scalar) { table->hadamard_f32 = ec_hadamard_f32_scalar; }

EC_INSTALL(hadamard, EC_SCALAR(hadamard) EC_AVX2(hadamard) EC_AVX512(hadamard) EC_NEON(hadamard))
