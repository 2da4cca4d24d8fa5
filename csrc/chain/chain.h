/* Codes of directions in a chain, whose levels hang on the bits before their own, too: see contract/principal.h. The bits
 * that cost least together are found by Viterbi's algorithm, from the last direction to the first. The four bits before a
 * direction are its state, and each of its words leads from a state to a state:
 *
 *     word = state before | own coarse bits = b3 b2 b1 b0 c1 c0     with two coarse bits
 *     state after = the four latest bits    =       b1 b0 c1 c0
 *
 * Costs are counted in units of the weight of the direction that they have come to; `ratio` leads from one unit to the
 * next. A word from state s to state e then costs, with its level the sum of a part of s and one of e,
 *
 *     cost[s] ratio + (value - memory[s] - own[e])^2
 *         = {cost[s] ratio + (value - memory[s])^2} + {2 memory[s] own[e]} + {own[e]^2 - 2 own[e] value}
 *
 * The first is of a state before, the last of a state after, and the middle known beforehand: a word takes one sum and one
 * comparison. What states before had cost is kept, and not the words: those of the one cheapest chain are found again. */
#ifndef EC_CHAIN_H
#define EC_CHAIN_H

#include "../bits/bits.h"
#include "../dot/dot.h"

#include <float.h>
#include <math.h>

enum {
    EC_CHAIN_STATES = 16,
    EC_CHAIN_BITS = 4,
    EC_CHAIN_WORDS = 256,
    EC_CHAIN_KINDS = 16,
    EC_CHAIN_ROWS = 8, /* at a time, so that one's sums need not wait for its last */
    EC_CHAIN_FOLDS = 4 /* fine bits, at most */
};

/* What the search for the cheapest words takes of a number of bits. */
typedef struct {
    float memory[EC_CHAIN_STATES], own[EC_CHAIN_STATES]; /* parts of levels, by the states before and after */
    float offset;                                        /* is in by_word and by_state, so that none is negative */
    float folds[EC_CHAIN_FOLDS];                         /* distances of fine levels from their middle, see below */
    float by_word[EC_CHAIN_WORDS];  /* (choices, 16): offset + 2 memory[s] own[e]; with fine bits, the coarse levels */
    float by_state[EC_CHAIN_WORDS]; /* (16, 16): the same by the states after and before; infinite where none leads */
} ec_words;

/* How a chain of directions is coded. */
struct ec_chain {
    int64_t count;               /* directions, whole groups */
    int64_t remembering;         /* those before this one have a memory */
    int64_t apart;               /* those from this one on are coded by themselves */
    const uint8_t *bits;         /* of groups */
    const float *tables, *steps; /* (16, 256), (16,) */
    const float *costs;          /* (count,) */
    const ec_words *words;       /* (16,) */
};

/* A number of bits in a chain: how many are coarse, and its levels. */
typedef struct {
    int32_t kind, coarse, fine;
    const float *table;
    float step, half; /* half of the fine levels */
} ec_link;

EC_INLINE ec_link ec_link_of(const ec_chain *chain, int64_t direction) {
    const int32_t bits = chain->bits[direction / 8];
    const int32_t kind = bits - 1 + (direction < chain->remembering ? 0 : 8);
    ec_link link = {.kind = kind,
                    .coarse = bits < EC_CHAIN_BITS ? bits : EC_CHAIN_BITS,
                    .table = chain->tables + EC_CHAIN_WORDS * kind,
                    .step = chain->steps[kind]};
    link.fine = bits - link.coarse;
    link.half = 0.5f * (float)(1 << link.fine);
    return link;
}

/* The level of a word with a fine number. */
EC_INLINE float ec_link_level(const ec_link *link, int word, int number) {
    return link->fine ? link->table[word] + ((float)number + 0.5f - link->half) * link->step : link->table[word];
}

/* The number of the fine level that is nearest to what a coarse one leaves. */
EC_INLINE int32_t ec_link_fine(const ec_link *link, float left) {
    const float most = 2 * link->half - 1;
    float place = left * (1 / link->step) + link->half;
    place = place > 0 ? place : 0;
    return (int32_t)(place < most ? place : most);
}

/* What one unit of cost of the direction before is in those of direction i. Never zero, so that what is infinite stays so. */
EC_INLINE float ec_chain_ratio(const ec_chain *chain, int64_t i) {
    const float most = 1e30f;
    if (i + 1 == chain->apart) return 1;
    const float before = chain->costs[i + 1] > FLT_MIN ? chain->costs[i + 1] : FLT_MIN;
    const float own = chain->costs[i] > FLT_MIN ? chain->costs[i] : FLT_MIN;
    return before / own < most ? before / own : most;
}

/* Multiplies a row's values by its factor, within bounds whose squares are finite; NaN becomes one of them. Codes the
 * directions at the end that are coded by themselves: they have one bit each, whose level is its own, and no memory
 * reaches them. Sets the costs of the states that may follow. */
EC_INLINE void ec_chain_begin(const ec_chain *chain, float factor, float *values, uint8_t *numbers,
                              float costs[EC_CHAIN_STATES]) {
    const float most = 1e15f;
    for (int64_t i = 0; i < chain->count; i++) {
        float value = values[i] * factor;
        value = value < most ? value : most;
        values[i] = value > -most ? value : -most;
    }
    int state = 0;
    for (int64_t i = chain->count - 1; i >= chain->apart; i--) {
        numbers[i] = values[i] > 0;
        values[i] = ec_link_of(chain, i).table[numbers[i]];
        state = (state << 1 | numbers[i]) % EC_CHAIN_STATES;
    }
    for (int e = 0; e < EC_CHAIN_STATES; e++) costs[e] = e == state ? 0 : INFINITY;
}

/* Replaces a value by the level of the word that leads from one state to another, and writes the number of its bits. */
EC_INLINE void ec_chain_take(const ec_link *link, int from, int to, float *value, uint8_t *number) {
    const int own = to & ((1 << link->coarse) - 1), word = from << link->coarse | own;
    const int32_t fine = link->fine ? ec_link_fine(link, *value - link->table[word]) : 0;
    *value = ec_link_level(link, word, fine);
    *number = (uint8_t)(own << link->fine | fine);
}

/* Writes what the search takes of the kinds of words that the chain has. */
void ec_chain_fill(const ec_chain *chain, ec_words words[EC_CHAIN_KINDS]);

#endif
