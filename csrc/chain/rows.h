/* The slot chain_code_f32, all rows a direction at a time, the sixteen states of a row in `states`. Each tier includes
 * this within its region, behind `states` and the verbs load, store, splat, add, subtract, multiply, magnitude, least,
 * positive, spread and first_least. Costs are compared as integers, of which more are compared at a time than of floats:
 * none is negative. */

/* What words cost from states that cost `before`, where `word` is of by_word or by_state. */
EC_INLINE states word_costs(const int fine, const ec_words *words, states value, states before, states word) {
    if (fine == 0) return add(before, word);
    states left = subtract(value, word);
#pragma GCC unroll 4
    for (int f = fine - 1; f >= 0; f--) left = subtract(magnitude(left), splat(words->folds[f]));
    return add(multiply(left, left), before);
}

/* The costs of states after, but for what they have from these states alone, of two rows: each word is read once. */
EC_INLINE void meet_words(const int coarse, const int fine, const ec_words *words, const states values[2],
                          const float *const before[2], states found[2]) {
    const int choices = 1 << coarse;
    found[0] = found[1] = splat(INFINITY);
#pragma GCC unroll 16
    for (int c = 0; c < choices; c++) {
        const states word = load(words->by_word + EC_CHAIN_STATES * c);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++)
            found[i] = least(word_costs(fine, words, values[i], spread(coarse, c, before[i]), word), found[i]);
    }
}

/* Goes on by one direction. All costs before are stored, and only then read again: a lane is read from memory for less
 * than from a register. */
EC_INLINE void step(const int coarse, const int fine, const ec_words *words, float ratio, const float *values,
                    int64_t stride, int64_t n_rows, float *costs, float *kept) {
    const states ratios = splat(ratio), memory = load(words->memory), own = load(words->own);
    for (int64_t r = 0; r < n_rows; r++) {
        const states left = subtract(splat(values[r * stride]), memory);
        const states before = multiply(load(costs + EC_CHAIN_STATES * r), ratios);
        store(kept + EC_CHAIN_STATES * r, fine ? before : add(before, multiply(left, left)));
    }
    for (int64_t r = 0; r < n_rows; r += 2) {
        const int64_t rows[2] = {r, r + 1 < n_rows ? r + 1 : r};
        const states two[2] = {splat(values[rows[0] * stride]), splat(values[rows[1] * stride])};
        const float *const before[2] = {kept + EC_CHAIN_STATES * rows[0], kept + EC_CHAIN_STATES * rows[1]};
        states found[2];
        meet_words(coarse, fine, words, two, before, found);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const states of_own = multiply(own, subtract(own, add(two[i], two[i])));
            if (!fine) found[i] = add(found[i], subtract(of_own, splat(words->offset)));
            store(costs + EC_CHAIN_STATES * rows[i], positive(found[i]));
        }
    }
}

/* Goes back by one direction: from the states after to those before, of the cheapest words. */
EC_INLINE void step_back(const int fine, const ec_link *link, const ec_words *words, float *values, int64_t stride,
                         int64_t n_rows, const float *kept, uint8_t *numbers, int64_t count, int *at) {
    for (int64_t r = 0; r < n_rows; r++) {
        const states before = load(kept + EC_CHAIN_STATES * r);
        const states word = load(words->by_state + EC_CHAIN_STATES * at[r]);
        const int from = first_least(word_costs(fine, words, splat(values[r * stride]), before, word));
        ec_chain_take(link, from, at[r], &values[r * stride], &numbers[r * count]);
        at[r] = from;
    }
}

static void chain_code_f32(const ec_chain *chain, const float *factors, float *values, int64_t stride, int64_t n_rows,
                           uint8_t *numbers, float *kept) {
    const int64_t kept_rows = EC_CHAIN_ROWS * EC_CHAIN_STATES, count = chain->count;
    float costs[EC_CHAIN_ROWS * EC_CHAIN_STATES];
    int at[EC_CHAIN_ROWS];
    for (int64_t r = 0; r < n_rows; r++)
        ec_chain_begin(chain, factors[r], values + r * stride, numbers + r * count, costs + EC_CHAIN_STATES * r);
    for (int64_t i = chain->apart - 1; i >= 0; i--) {
        const ec_link link = ec_link_of(chain, i);
        const ec_words *words = &chain->words[link.kind];
        const float ratio = ec_chain_ratio(chain, i), *from = values + i;
        float *to = kept + kept_rows * i;
        switch (link.coarse + link.fine) {
        case 1: step(1, 0, words, ratio, from, stride, n_rows, costs, to); break;
        case 2: step(2, 0, words, ratio, from, stride, n_rows, costs, to); break;
        case 3: step(3, 0, words, ratio, from, stride, n_rows, costs, to); break;
        case 4: step(4, 0, words, ratio, from, stride, n_rows, costs, to); break;
        case 5: step(4, 1, words, ratio, from, stride, n_rows, costs, to); break;
        case 6: step(4, 2, words, ratio, from, stride, n_rows, costs, to); break;
        case 7: step(4, 3, words, ratio, from, stride, n_rows, costs, to); break;
        default: step(4, 4, words, ratio, from, stride, n_rows, costs, to); break;
        }
    }
    for (int64_t r = 0; r < n_rows; r++) at[r] = first_least(load(costs + EC_CHAIN_STATES * r));
    for (int64_t i = 0; i < chain->apart; i++) {
        const ec_link link = ec_link_of(chain, i);
        const ec_words *words = &chain->words[link.kind];
        const float *from = kept + kept_rows * i;
        switch (link.fine) {
        case 0: step_back(0, &link, words, values + i, stride, n_rows, from, numbers + i, count, at); break;
        case 1: step_back(1, &link, words, values + i, stride, n_rows, from, numbers + i, count, at); break;
        case 2: step_back(2, &link, words, values + i, stride, n_rows, from, numbers + i, count, at); break;
        case 3: step_back(3, &link, words, values + i, stride, n_rows, from, numbers + i, count, at); break;
        default: step_back(4, &link, words, values + i, stride, n_rows, from, numbers + i, count, at); break;
        }
    }
}
