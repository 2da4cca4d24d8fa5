/* Merging results that are complete: scores and ids of searches over different rows, wherever they were made. The
 * k best so far of every query stay sorted in the output, into which the next part's are sorted. Parts come sorted by
 * score, so that one comparison ends nearly every part once some have been merged. Ties are looked at one by one:
 * within a part they may come in any order. */
#include "../embcodec.h"

/* A score as a cost, better when lower. A double holds every int32 and every float32. */
static double cost_at(const void *scores, int32_t is_integer, float sign, int64_t i) {
    return is_integer ? (double)sign * ((const int32_t *)scores)[i] : (double)sign * ((const float *)scores)[i];
}

static void copy_score(void *to, int64_t i, const void *from, int64_t j, int32_t is_integer) {
    if (is_integer)
        ((int32_t *)to)[i] = ((const int32_t *)from)[j];
    else
        ((float *)to)[i] = ((const float *)from)[j];
}

int64_t ec_merge_results(const void *part_scores, const void *part_ids, int64_t n_queries, int64_t k, int64_t k_out,
                         int32_t is_integer, float sign, void *scores, void *ids) {
    for (int64_t q = 0; q < n_queries && k_out > 0; q++) {
        int64_t *best = (int64_t *)ids + q * k_out, base = q * k_out, n = k_out;
        while (n > 0 && best[n - 1] < 0) n--; /* the places without a result are the last ones */
        for (int64_t i = q * k; i < (q + 1) * k; i++) {
            const int64_t id = ((const int64_t *)part_ids)[i];
            if (id < 0) break;
            const double cost = cost_at(part_scores, is_integer, sign, i);
            if (cost != cost) return q;
            if (n == k_out) {
                const double last = cost_at(scores, is_integer, sign, base + n - 1);
                if (cost > last) break;
                if (cost == last && id > best[n - 1]) continue;
            } else {
                n++;
            }
            int64_t at = n - 1; /* where the result goes, once those behind it have moved up */
            for (; at > 0; at--) {
                const double before = cost_at(scores, is_integer, sign, base + at - 1);
                if (before < cost || (before == cost && best[at - 1] <= id)) break;
                copy_score(scores, base + at, scores, base + at - 1, is_integer);
                best[at] = best[at - 1];
            }
            copy_score(scores, base + at, part_scores, i, is_integer);
            best[at] = id;
        }
    }
    return -1;
}
