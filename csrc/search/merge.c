/* The last step of a search, once all threads are done: merges the sorted entries of several scans and turns entries
 * back into scores and row numbers. */
#include "loops.h"

/* Writes result i: the score that the entry's key stands for, and the row. */
static void put(int64_t i, uint64_t entry, int64_t row, int32_t is_integer, float sign, void *scores,
                int64_t *indices) {
    uint32_t key = (uint32_t)(entry >> 32);
    if (is_integer)
        ((int32_t *)scores)[i] = (int32_t)key;
    else
        ((float *)scores)[i] = sign < 0 ? 0.0f - ec_cost_of_key(key) : ec_cost_of_key(key);
    indices[i] = row;
}

/* Among equal keys the earlier part wins, whose rows have the lower numbers. Each result takes n_parts comparisons:
 * there are about as many parts as threads. */
void ec_search_merge(const void *entries, int64_t n_parts, int64_t n_queries, int64_t k, const void *first_rows,
                     int64_t k_out, int32_t is_integer, float sign, const void *selection, int64_t selection_stride,
                     void *scores, void *indices) {
    enum { MOST_PARTS = 256 };
    const int64_t *from = first_rows, *selected = selection;
    int64_t heads[MOST_PARTS];
    if (n_parts > MOST_PARTS) return;
    if (n_parts == 1 && k_out == k && selected == NULL) { /* one part, which is sorted already */
        for (int64_t i = 0; i < n_queries * k; i++) {
            uint64_t entry = ((const uint64_t *)entries)[i];
            int64_t row = entry == UINT64_MAX ? -1 : from[0] + (int64_t)(entry & 0xffffffffu);
            put(i, entry, row, is_integer, sign, scores, indices);
        }
        return;
    }
    for (int64_t q = 0; q < n_queries; q++) {
        for (int64_t p = 0; p < n_parts; p++) heads[p] = 0;
        for (int64_t i = 0; i < k_out; i++) {
            int64_t best = 0;
            uint64_t best_entry = UINT64_MAX;
            for (int64_t p = 0; p < n_parts; p++) {
                if (heads[p] == k) continue;
                uint64_t entry = ((const uint64_t *)entries)[(p * n_queries + q) * k + heads[p]];
                if (p == 0 || entry >> 32 < best_entry >> 32) {
                    best = p;
                    best_entry = entry;
                }
            }
            heads[best]++;
            int64_t row = -1; /* -1 where the query had fewer than k_out rows to choose from */
            if (best_entry != UINT64_MAX) row = from[best] + (int64_t)(best_entry & 0xffffffffu);
            if (selected && row >= 0) row = selected[q * selection_stride + row];
            put(q * k_out + i, best_entry, row, is_integer, sign, scores, indices);
        }
    }
}
