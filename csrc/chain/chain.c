/* What the kernels of chains take, from the levels of words. */
#include "chain.h"

static void fill_words(const ec_link *link, ec_words *words) {
    const int last = (1 << link->coarse) - 1; /* of the choices of own bits */
    const int n_words = EC_CHAIN_STATES << link->coarse;
    float most = 0;
    for (int s = 0; s < EC_CHAIN_STATES; s++) {
        const int first = s << link->coarse;
        words->memory[s] = (link->table[first] + link->table[first + last]) / 2;
        words->own[s] = (link->table[s & last] - link->table[last - (s & last)]) / 2;
    }
    for (int f = 0; f < EC_CHAIN_FOLDS; f++) words->folds[f] = 0.5f * link->step * (float)(1 << f);
    for (int i = 0; i < EC_CHAIN_WORDS; i++) words->by_state[i] = INFINITY;
    for (int w = 0; w < n_words; w++) {
        const float product = 2 * words->memory[w >> link->coarse] * words->own[w % EC_CHAIN_STATES];
        most = fabsf(product) > most ? fabsf(product) : most;
        words->by_word[w] = product;
    }
    words->offset = most; /* costs before are none below 0, nor then are sums with it */
    for (int w = 0; w < n_words; w++) {
        float *word = &words->by_word[w];
        *word = link->fine ? link->table[w] : *word + words->offset;
        words->by_state[EC_CHAIN_STATES * (w % EC_CHAIN_STATES) + (w >> link->coarse)] = *word;
    }
}

void ec_chain_fill(const ec_chain *chain, ec_words words[EC_CHAIN_KINDS]) {
    int32_t last = -1;
    for (int64_t i = 0; i < chain->apart; i++) {
        const ec_link link = ec_link_of(chain, i);
        if (link.kind != last) fill_words(&link, &words[link.kind]);
        last = link.kind;
    }
}
