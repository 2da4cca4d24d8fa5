/* The slots of the family, plain loops, to be included once a tier. Operations are element-wise, each
 * rounded by itself, and a sum has sixteen parts, so that all tiers give the same bits. */

/* The dot of a direction's entries with what the error has along all directions. */
EC_INLINE float EC_OF_TIER(along)(const ec_shape *by, int64_t j, const float *EC_RESTRICT error) {
    float sums[EC_SUMS] = {0};
    for (int64_t p = 0; p < by->directions; p += EC_PANEL) {
        const float *EC_RESTRICT entries = by->panels + p * by->dimension + j * EC_PANEL;
        for (int i = 0; i < EC_PANEL; i += EC_SUMS)
            for (int c = 0; c < EC_SUMS; c++) sums[c] += entries[i + c] * error[p + i + c];
    }
    for (int half = EC_SUMS / 2; half > 0; half /= 2)
        for (int c = 0; c < half; c++) sums[c] += sums[half + c];
    return sums[0];
}

/* Goes over the dimensions begin .. end of a row. `values` times `factor` are its z, `levels` its l, which are changed, `error` (directions,) is
 * V^T e and follows them. Returns how many changed. */
static int64_t EC_OF_TIER(shape_pass_f32)(const ec_levels *to, const ec_shape *by, const float *values, float factor,
                                          float scale, float *levels, float *error, int64_t begin, int64_t end) {
    int64_t changed = 0;
    const float inverse = 1 / scale;
    for (int64_t j = begin; j < end; j++) {
        const float gradient = by->rest * (scale * levels[j] - factor * values[j]) + EC_OF_TIER(along)(by, j, error);
        const float wanted = levels[j] - gradient * by->inverses[j] * inverse;
        int32_t nearest = 0;
        for (int32_t t = 0; t < to->n_levels - 1; t++) nearest += wanted > to->edges[t];
        const float level = to->levels[nearest];
        if (EC_LIKELY(level == levels[j])) continue;
        const float by_much = scale * (level - levels[j]);
        levels[j] = level;
        changed++;
        for (int64_t p = 0; p < by->directions; p += EC_PANEL) {
            const float *EC_RESTRICT entries = by->panels + p * by->dimension + j * EC_PANEL;
            for (int c = 0; c < EC_PANEL; c++) error[p + c] += by_much * entries[c];
        }
    }
    return changed;
}

/* errors[i] = scale * levels[i] - factor * values[i] */
static void EC_OF_TIER(shape_errors_f32)(const float *levels, float scale, const float *values, float factor,
                                         int64_t count, float *errors) {
    for (int64_t i = 0; i < count; i++) errors[i] = scale * levels[i] - factor * values[i];
}

#if defined(EC_SLOTS_OF_TIER)
EC_SLOTS_OF_TIER(shape) {
    table->shape_pass_f32 = EC_OF_TIER(shape_pass_f32);
    table->shape_errors_f32 = EC_OF_TIER(shape_errors_f32);
}
#endif
