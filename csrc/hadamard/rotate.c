/* The public function of the family, for lowbit/: a random rotation in any dimension. In each round the row is
 * multiplied by signs, and then its first or, in odd rounds, its last `power` dimensions are transformed; the factors
 * of these are divided by sqrt(power), so that lengths are kept. */
#include "hadamard.h"

static void multiply(void *values, const void *factors, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ec_store_f32_at(values, i, ec_load_f32_at(values, i) * ec_load_f32_at(factors, i));
}

ec_result ec_rotate_f32(void *values, int64_t count, int64_t rows, int64_t dimension, ec_array factors, int32_t rounds,
                        int32_t inverse) {
    ec_result result = {0, 0, EC_OK};
    if (!ec_holds(count, rows, dimension, 1) || !ec_holds(factors.count, rounds, dimension, 1))
        result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK || rows == 0 || dimension == 0) return result;
    int64_t power = 1;
    while (power <= dimension / 2) power *= 2;
    for (int64_t row = 0; row < rows; row++) {
        char *x = (char *)values + 4 * row * dimension;
        for (int32_t i = 0; i < rounds; i++) {
            int32_t round = inverse ? rounds - 1 - i : i;
            const char *round_factors = (const char *)factors.items + 4 * round * dimension;
            char *block = x + (round % 2 ? 4 * (dimension - power) : 0);
            if (!inverse) multiply(x, round_factors, dimension);
            ec_active.hadamard_f32(block, power);
            if (inverse) multiply(x, round_factors, dimension);
        }
    }
    result.consumed = result.produced = rows * dimension;
    return result;
}
