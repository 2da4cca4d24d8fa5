/* Chains in plain C: the specification. No sum is fused with a product, so that all tiers give the same bits. */
#include "chain.h"

/* What a row costs to go by a word, less what that has from the state after it alone. */
static float word_cost(const ec_link *link, const ec_words *words, float value, float before, float word) {
    if (!link->fine) return before + word;
    float left =
        value - word; /* folded at the middle of the fine levels, then at that of the half that holds them, .. */
    for (int f = link->fine - 1; f >= 0; f--) left = fabsf(left) - words->folds[f];
    return before + left * left;
}

/* Goes on by one direction: from what the states before have cost to what those after do. */
static void step(const ec_link *link, const ec_words *words, float ratio, float value, float costs[EC_CHAIN_STATES],
                 float before[EC_CHAIN_STATES]) {
    for (int s = 0; s < EC_CHAIN_STATES; s++) {
        const float left = value - words->memory[s];
        before[s] = link->fine ? costs[s] * ratio : costs[s] * ratio + left * left;
    }
    for (int e = 0; e < EC_CHAIN_STATES; e++) {
        float least = INFINITY;
        for (int c = 0; c < 1 << link->coarse; c++) {
            const int word = EC_CHAIN_STATES * c + e;
            const float cost = word_cost(link, words, value, before[word >> link->coarse], words->by_word[word]);
            least = cost < least ? cost : least;
        }
        if (!link->fine) least += words->own[e] * (words->own[e] - (value + value)) - words->offset;
        costs[e] = least > 0 ? least : 0;
    }
}

/* Codes the values of n_rows <= EC_CHAIN_ROWS rows, each times its factor, in place: `stride` lies between rows. The
 * numbers of their bits, 1 .. 8 each, go to (n_rows, count). `kept` is scratch, (count, EC_CHAIN_ROWS, 16). */
static void chain_code_f32(const ec_chain *chain, const float *factors, float *values, int64_t stride, int64_t n_rows,
                           uint8_t *numbers, float *kept) {
    for (int64_t r = 0; r < n_rows; r++, values += stride, numbers += chain->count) {
        float costs[EC_CHAIN_STATES];
        int state = 0;
        ec_chain_begin(chain, factors[r], values, numbers, costs);
        for (int64_t i = chain->apart - 1; i >= 0; i--) {
            const ec_link link = ec_link_of(chain, i);
            step(&link, &chain->words[link.kind], ec_chain_ratio(chain, i), values[i], costs,
                 kept + EC_CHAIN_STATES * i);
        }
        for (int e = 1; e < EC_CHAIN_STATES; e++)
            if (costs[e] < costs[state]) state = e;
        for (int64_t i = 0; i < chain->apart; i++) {
            const ec_link link = ec_link_of(chain, i);
            const ec_words *words = &chain->words[link.kind];
            float least = INFINITY;
            int from = 0;
            for (int s = 0; s < EC_CHAIN_STATES; s++) {
                const float cost = word_cost(&link, words, values[i], kept[EC_CHAIN_STATES * i + s],
                                             words->by_state[EC_CHAIN_STATES * state + s]);
                if (cost < least) from = s;
                least = cost < least ? cost : least;
            }
            ec_chain_take(&link, from, state, &values[i], &numbers[i]);
            state = from;
        }
    }
}

EC_SLOTS(chain, scalar) { table->chain_code_f32 = chain_code_f32; }

EC_INSTALL(chain, EC_SCALAR(chain) EC_AVX2(chain) EC_NEON(chain))
