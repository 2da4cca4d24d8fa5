/* The slots of the family that are plain loops, to be included once a tier: element-wise, so that all tiers give the
 * same bits. */

/* errors[i] = scale * levels[i] - factor * values[i] */
static void EC_OF_TIER(shape_errors_f32)(const float *levels, float scale, const float *values, float factor,
                                         int64_t count, float *errors) {
    for (int64_t i = 0; i < count; i++) errors[i] = scale * levels[i] - factor * values[i];
}
