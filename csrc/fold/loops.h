/* The slots of the family, made of the loops of fold.h: every_tier.h includes this once a tier. */

static uint32_t EC_OF_TIER(fold_f32)(const void *values, int64_t dimension, const float *steps, float step,
                                     float *folded) {
    return steps ? ec_loop_fold(values, dimension, steps, 0, folded)
                 : ec_loop_fold(values, dimension, NULL, step, folded);
}

static double EC_OF_TIER(weigh_f32)(const void *values, int64_t dimension, const float *weights) {
    return weights ? ec_loop_weigh(values, dimension, weights) : ec_loop_weigh(values, dimension, NULL);
}

static void EC_OF_TIER(round_f32)(const float *folded, int64_t dimension, double inverse, int8_t *codes) {
    ec_loop_round(folded, dimension, inverse, codes);
}

EC_SLOTS_OF_TIER(fold) {
    table->fold_f32 = EC_OF_TIER(fold_f32);
    table->weigh_f32 = EC_OF_TIER(weigh_f32);
    table->round_f32 = EC_OF_TIER(round_f32);
}
