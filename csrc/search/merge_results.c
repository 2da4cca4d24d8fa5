/* Merging results that are complete: scores and ids of searches over different rows, wherever they were made. The
 * k best so far of every query stay sorted in the output, into which the next part's are sorted. Parts come sorted by
 * score, so that one comparison ends nearly every part once some have been merged. Ties are looked at one by one:
 * within a part they may come in any order.
 *
 * Where there are at least k parts, the k-th best of their first results is a bound: k results are as good, so that none
 * beyond it is among the best. Without it, results of the first parts are sorted in to be pushed out again: of 200 parts
 * of 20, a query sorts in 118 on average, with it some 25. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "../kernels.h"

enum {
    AHEAD = 8,         /* queries whose results are asked for before they are read: parts come from memory */
    FEW_PARTS = 8,     /* merged at once without a bound: of more, results would come from memory again and again */
    MOST_PARTS = 256,  /* merged at once with a bound */
    SLACK = 4,         /* results more than k within a bound, which is good enough then */
    KEYS_AT_ONCE = 16, /* counted at once: compilers make vectors of them */
};

EC_INLINE void ask_for(const void *address) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address);
#else
    (void)address;
#endif
}

/* The results of one query. */
typedef struct {
    void *scores;
    int64_t *ids;
    int64_t n;
} results;

/* A score as a cost, better when lower. A double holds every int32 and every float32. */
EC_INLINE double cost_at(const void *scores, int is_integer, double sign, int64_t i) {
    return sign * (is_integer ? (double)((const int32_t *)scores)[i] : (double)((const float *)scores)[i]);
}

/* Sorts result `from` of a part in among n + 1 places, of which the last one is free. Steps are few: moving the others
 * one by one takes less than calls that move them all. */
EC_INLINE void sort_in(results *best, const results *part, int64_t from, double cost, int is_integer, double sign) {
    const int64_t id = part->ids[from];
    uint32_t *scores = best->scores; /* int32 or float32 */
    int64_t *ids = best->ids;
    int64_t at = best->n - 1;
    for (; at > 0; at--) {
        const double before = cost_at(scores, is_integer, sign, at - 1);
        if (before < cost || (before == cost && ids[at - 1] <= id)) break;
        scores[at] = scores[at - 1];
        ids[at] = ids[at - 1];
    }
    scores[at] = ((const uint32_t *)part->scores)[from];
    ids[at] = id;
}

/* Merges what a part has for one query, up to a bound. Returns 0 where a score is NaN. */
EC_INLINE int merge_one(results *best, const results *part, int64_t most, double bound, int is_integer, double sign) {
    for (int64_t i = 0; i < part->n; i++) {
        const double cost = cost_at(part->scores, is_integer, sign, i);
        const double last = best->n == most ? cost_at(best->scores, is_integer, sign, most - 1) : bound;
        if (cost > last) break;
        if (part->ids[i] < 0) break;
        if (cost != cost) return 0;
        if (best->n == most && cost == last && part->ids[i] > best->ids[most - 1]) continue;
        if (best->n < most) best->n++;
        sort_in(best, part, i, cost, is_integer, sign);
    }
    return 1;
}

/* The results of query q of a part. */
EC_INLINE results of_query(const ec_results *part, int64_t q) {
    return (results){(uint8_t *)part->scores + 4 * q * part->k, (int64_t *)part->ids + q * part->k, part->k};
}

/* The places of a query's best, of which the last ones may be without a result. */
EC_INLINE results best_of(const ec_results *out, int64_t q) {
    results best = of_query(out, q);
    while (best.n > 0 && best.ids[best.n - 1] < 0) best.n--;
    return best;
}

/* Merges a few parts. A query at a time, so that its best stay near the core while all the parts are looked at: most
 * end at the first comparison. Returns the first query with a score that is NaN, or -1. */
EC_INLINE int64_t merge_few(const ec_results *parts, int64_t n_parts, int64_t n_queries, const ec_results *out,
                            int is_integer, double sign) {
    for (int64_t q = 0; q < n_queries; q++) {
        results best = best_of(out, q);
        for (int64_t p = 0; p < n_parts; p++) {
            const results part = of_query(&parts[p], q);
            if (q + AHEAD < n_queries) {
                ask_for((uint8_t *)part.scores + 4 * AHEAD * part.n);
                ask_for(part.ids + AHEAD * part.n);
            }
            if (!merge_one(&best, &part, out->k, INFINITY, is_integer, sign)) return q;
        }
    }
    return -1;
}

/* A score as a whole number, lower for better ones, equal for equal ones; the least one for NaN, which is to be met. */
EC_INLINE int32_t key_of(const void *score, int is_integer, int higher_is_better) {
    int32_t key;
    if (is_integer) {
        key = *(const int32_t *)score;
    } else {
        const float value = *(const float *)score + 0.0f; /* -0 is 0 */
        memcpy(&key, &value, sizeof key);
        key ^= (key >> 31) & INT32_MAX; /* negative numbers in the order of their size */
        if (value != value) return INT32_MIN;
    }
    return higher_is_better ? ~key : key;
}

EC_INLINE int64_t count_up_to(const int32_t *keys, int64_t n, int32_t bound) {
    int32_t count = 0;
    for (int64_t i = 0; i < n; i += KEYS_AT_ONCE)
        for (int64_t j = 0; j < KEYS_AT_ONCE; j++) count += keys[i + j] <= bound;
    return count;
}

/* A key that at least `wanted` of n keys do not exceed, and few more. There is room for some behind the last one. */
EC_INLINE int32_t bound_of(int32_t *keys, int64_t n, int64_t wanted) {
    int64_t least = keys[0], bound = keys[0], padded = (n + KEYS_AT_ONCE - 1) / KEYS_AT_ONCE * KEYS_AT_ONCE;
    for (int64_t i = 1; i < n; i++) {
        least = keys[i] < least ? keys[i] : least;
        bound = keys[i] > bound ? keys[i] : bound;
    }
    for (int64_t i = n; i < padded; i++) keys[i] = INT32_MAX;
    if (bound == INT32_MAX) return INT32_MAX; /* which what is behind them does not exceed either */
    for (int64_t below = least - 1, count = n; bound - below > 1 && count > wanted + SLACK;) {
        const int64_t middle = below + (bound - below) / 2, found = count_up_to(keys, padded, (int32_t)middle);
        if (found < wanted) {
            below = middle;
        } else {
            bound = middle;
            count = found;
        }
    }
    return (int32_t)bound;
}

/* Merges at least as many parts as results are wanted, likewise. */
EC_INLINE int64_t merge_bounded(const ec_results *parts, int64_t n_parts, int64_t n_queries, const ec_results *out,
                                int is_integer, int higher_is_better) {
    const double sign = higher_is_better ? -1.0 : 1.0;
    int32_t keys[MOST_PARTS + KEYS_AT_ONCE];
    for (int64_t q = 0; q < n_queries; q++) {
        for (int64_t p = 0; p < n_parts; p++) {
            const results part = of_query(&parts[p], q);
            if (q + AHEAD < n_queries) ask_for((uint8_t *)part.scores + 4 * AHEAD * part.n);
            keys[p] = part.n > 0 ? key_of(part.scores, is_integer, higher_is_better) : INT32_MAX;
        }
        int32_t bound = bound_of(keys, n_parts, out->k);
        int64_t within = 0; /* results: what has no id is none */
        double worst = -INFINITY;
        for (int64_t p = 0; p < n_parts; p++) {
            const results part = of_query(&parts[p], q);
            if (keys[p] > bound || part.n == 0) continue;
            within += part.ids[0] >= 0;
            worst = fmax(worst, cost_at(part.scores, is_integer, sign, 0));
        }
        if (within < out->k) bound = INT32_MAX, worst = INFINITY;
        results best = best_of(out, q);
        for (int64_t p = 0; p < n_parts; p++) {
            if (keys[p] > bound) continue;
            const results part = of_query(&parts[p], q);
            if (!merge_one(&best, &part, out->k, worst, is_integer, sign)) return q;
        }
    }
    return -1;
}

EC_INLINE int64_t merge_parts(const ec_results *parts, int64_t n_parts, int64_t n_queries, const ec_results *out,
                              int is_integer, int higher_is_better) {
    int64_t bad = -1;
    for (int64_t first = 0, n; first < n_parts && bad < 0; first += n) {
        n = n_parts - first < MOST_PARTS ? n_parts - first : MOST_PARTS;
        if (n > FEW_PARTS && n >= out->k) {
            bad = merge_bounded(parts + first, n, n_queries, out, is_integer, higher_is_better);
        } else {
            n = n < FEW_PARTS ? n : FEW_PARTS;
            bad = merge_few(parts + first, n, n_queries, out, is_integer, higher_is_better ? -1.0 : 1.0);
        }
    }
    return bad;
}

int64_t ec_merge_results(const void *parts, int64_t n_parts, int64_t n_queries, int64_t k_out, int32_t is_integer,
                         float sign, void *scores, void *ids) {
    const ec_results out = {scores, ids, k_out};
    if (k_out <= 0) return -1;
    if (is_integer) return merge_parts(parts, n_parts, n_queries, &out, 1, sign < 0);
    return merge_parts(parts, n_parts, n_queries, &out, 0, sign < 0);
}
