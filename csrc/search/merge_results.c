/* Merging results that are complete: scores and ids of searches over different rows, wherever they were made. The
 * k best so far of every query stay sorted in the output, into which the next part's are sorted. Parts come sorted by
 * score, so that one comparison ends nearly every part once some have been merged. Ties are looked at one by one:
 * within a part they may come in any order. */
#include <math.h>

#include "../kernels.h"

enum { AHEAD = 8 }; /* queries whose results are asked for before they are read: parts come from memory */

EC_INLINE void ask_for(const void *scores, const void *ids) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(scores);
    __builtin_prefetch(ids);
#else
    (void)scores;
    (void)ids;
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

/* Merges what a part has for one query. Returns 0 where a score is NaN. */
EC_INLINE int merge_one(results *best, const results *part, int64_t most, int is_integer, double sign) {
    for (int64_t i = 0; i < part->n; i++) {
        const double cost = cost_at(part->scores, is_integer, sign, i);
        const double last = best->n == most ? cost_at(best->scores, is_integer, sign, most - 1) : INFINITY;
        if (cost > last) break;
        if (part->ids[i] < 0) break;
        if (cost != cost) return 0;
        if (best->n == most && cost == last && part->ids[i] > best->ids[most - 1]) continue;
        if (best->n < most) best->n++;
        sort_in(best, part, i, cost, is_integer, sign);
    }
    return 1;
}

/* A query at a time, so that its best stay near the core while all the parts are looked at: most end at the first
 * comparison. */
int64_t ec_merge_results(const void *parts, int64_t n_parts, int64_t n_queries, int64_t k_out, int32_t is_integer,
                         float sign, void *scores, void *ids) {
    const ec_results *all = parts;
    for (int64_t q = 0; q < n_queries && k_out > 0; q++) {
        results best = {(uint8_t *)scores + 4 * q * k_out, (int64_t *)ids + q * k_out, k_out};
        while (best.n > 0 && best.ids[best.n - 1] < 0) best.n--; /* the places without a result are the last ones */
        for (int64_t p = 0; p < n_parts; p++) {
            const int64_t k = all[p].k;
            const results part = {(uint8_t *)all[p].scores + 4 * q * k, (int64_t *)all[p].ids + q * k, k};
            if (q + AHEAD < n_queries) ask_for((uint8_t *)part.scores + 4 * AHEAD * k, part.ids + AHEAD * k);
            const int fine = is_integer ? merge_one(&best, &part, k_out, 1, (double)sign)
                                        : merge_one(&best, &part, k_out, 0, (double)sign);
            if (!fine) return q;
        }
    }
    return -1;
}
