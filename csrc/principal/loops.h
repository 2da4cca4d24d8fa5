/* The slots of the family, plain loops: every_tier.h includes this once a tier. */

/* Codes values in place, each times `factor`: the nearest of 2^bits levels that are `step` apart and lie around 0. Bit
 * p of a level's number goes to plane p, the planes lying `width` bytes apart. count is a multiple of 8. */
static void EC_OF_TIER(principal_steps_f32)(float *values, int64_t count, float factor, int32_t bits, float step,
                                            uint8_t *packed, int64_t width) {
    const float half = (float)(1 << (bits - 1)), most = 2 * half - 1, inverse = 1 / step;
    for (int64_t g = 0; g < count; g += EC_GROUP) {
        int32_t numbers[EC_GROUP];
        for (int i = 0; i < EC_GROUP; i++) {
            float place = values[g + i] * factor * inverse + half;
            place = place > 0 ? place : 0; /* NaN, too */
            place = place < most ? place : most;
            numbers[i] = (int32_t)place;
            values[g + i] = ((float)numbers[i] + 0.5f - half) * step;
        }
        uint64_t rows = 0; /* a byte a direction, its lowest bit last */
        for (int i = 0; i < EC_GROUP; i++) rows = rows << 8 | (uint64_t)numbers[i];
        const uint64_t planes = ec_transpose_bits_u64(rows);
        for (int32_t p = 0; p < bits; p++) packed[p * width + g / EC_GROUP] = (uint8_t)(planes >> 8 * p);
    }
}

/* weighted[i] = weights[i] * values[i] */
static void EC_OF_TIER(principal_weigh_f32)(const float *values, const float *weights, int64_t count, float *weighted) {
    for (int64_t i = 0; i < count; i++) weighted[i] = weights[i] * values[i];
}

EC_SLOTS_OF_TIER(principal) {
    table->principal_steps_f32 = EC_OF_TIER(principal_steps_f32);
    table->principal_weigh_f32 = EC_OF_TIER(principal_weigh_f32);
}
