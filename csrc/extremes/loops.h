/* The slot of the family, made of the loop of extremes.h: every_tier.h includes this once a tier. */

static uint32_t EC_OF_TIER(extremes_f32)(const void *rows, int64_t n_rows, int64_t dimension, float *low, float *high) {
    return ec_loop_extremes(rows, n_rows, dimension, low, high);
}

EC_SLOTS_OF_TIER(extremes) { table->extremes_f32 = EC_OF_TIER(extremes_f32); }
