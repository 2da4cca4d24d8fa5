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

/* For each of the sixteen states to come the cheapest word that leads to it, and what it then has cost: all words that
 * end alike lead to the same one. Costs, which are not negative, are compared as integers, with the beginning of their
 * word in place of their last bits. */
EC_INLINE void EC_OF_TIER(choose_words)(const int coarse, const int is_fine, const ec_link *link, float value,
                                        float weight, float *costs, uint8_t *chosen) {
    const float *table = link->table, step = link->step, inverse = 1 / step;
    const float half = link->half, most = 2 * half - 1;
    const int words = EC_CHAIN_STATES << coarse;
    float sums[EC_CHAIN_WORDS];
    int32_t keys[EC_CHAIN_WORDS];
    for (int s = 0; s < EC_CHAIN_STATES; s++)
        for (int b = 0; b < 1 << coarse; b++) sums[(s << coarse) + b] = costs[s];
    for (int w = 0; w < words; w++) {
        float left = value - table[w];
        if (is_fine) {
            float place = left * inverse + half;
            place = place > 0 ? place : 0; /* NaN, too */
            place = place < most ? place : most;
            left -= ((float)(int32_t)place + 0.5f - half) * step;
        }
        sums[w] += weight * (left * left);
    }
    memcpy(keys, sums, sizeof *keys * (size_t)words);
    for (int w = 0; w < words; w++) keys[w] = (keys[w] & ~(EC_CHAIN_STATES - 1)) | w >> EC_CHAIN_BITS;
    for (int some = words / 2; some >= EC_CHAIN_STATES; some >>= 1)
        for (int i = 0; i < some; i++) keys[i] = keys[i] < keys[i + some] ? keys[i] : keys[i + some];
    for (int e = 0; e < EC_CHAIN_STATES; e++) {
        const int32_t key = keys[e] & ~(EC_CHAIN_STATES - 1);
        memcpy(&costs[e], &key, sizeof key);
        chosen[e] = (uint8_t)(keys[e] & (EC_CHAIN_STATES - 1));
    }
}

/* Codes the values of a chain, each times `factor`, in place: the numbers of bits, 1 .. 8 each, whose levels cost least
 * together, by Viterbi's algorithm. `chosen` is scratch, (count, 16). Directions before `apart`, and those behind it by
 * themselves: they have one bit each, whose level is its own, and no memory reaches them. */
static void EC_OF_TIER(principal_chain_f32)(const ec_chain *chain, float *values, float factor, uint8_t *numbers,
                                            uint8_t *chosen) {
    float costs[EC_CHAIN_STATES];
    int state = 0;
    for (int64_t i = 0; i < chain->count; i++) values[i] *= factor;
    for (int64_t i = chain->count - 1; i >= chain->apart; i--) {
        numbers[i] = values[i] > 0;
        values[i] = ec_link_of(chain, i).table[numbers[i]];
        state = (state << 1 | numbers[i]) % EC_CHAIN_STATES;
    }
    for (int e = 0; e < EC_CHAIN_STATES; e++) costs[e] = e == state ? 0 : INFINITY;
    for (int64_t i = chain->apart - 1; i >= 0; i--) {
        const ec_link link = ec_link_of(chain, i);
        const float value = values[i], weight = chain->costs[i];
        uint8_t *to = chosen + EC_CHAIN_STATES * i;
        switch (link.coarse + link.fine) {
        case 1: EC_OF_TIER(choose_words)(1, 0, &link, value, weight, costs, to); break;
        case 2: EC_OF_TIER(choose_words)(2, 0, &link, value, weight, costs, to); break;
        case 3: EC_OF_TIER(choose_words)(3, 0, &link, value, weight, costs, to); break;
        case 4: EC_OF_TIER(choose_words)(4, 0, &link, value, weight, costs, to); break;
        default: EC_OF_TIER(choose_words)(4, 1, &link, value, weight, costs, to); break;
        }
    }
    state = 0;
    for (int e = 1; e < EC_CHAIN_STATES; e++)
        if (costs[e] < costs[state]) state = e;
    for (int64_t i = 0; i < chain->apart; i++) {
        const ec_link link = ec_link_of(chain, i);
        const int word = EC_CHAIN_STATES * chosen[EC_CHAIN_STATES * i + state] + state;
        const int32_t fine = link.fine ? ec_link_fine(&link, values[i] - link.table[word]) : 0;
        values[i] = ec_link_level(&link, word, fine);
        numbers[i] = (uint8_t)((word & ((1 << link.coarse) - 1)) << link.fine | fine);
        state = word >> link.coarse;
    }
}

/* weighted[i] = weights[i] * values[i] */
static void EC_OF_TIER(principal_weigh_f32)(const float *values, const float *weights, int64_t count, float *weighted) {
    for (int64_t i = 0; i < count; i++) weighted[i] = weights[i] * values[i];
}

EC_SLOTS_OF_TIER(principal) {
    table->principal_chain_f32 = EC_OF_TIER(principal_chain_f32);
    table->principal_steps_f32 = EC_OF_TIER(principal_steps_f32);
    table->principal_weigh_f32 = EC_OF_TIER(principal_weigh_f32);
}
