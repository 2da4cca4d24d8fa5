/* Selection and sorting of entries. Entries are distinct (each names its row), so there is one k-th least. */
#include "reservoir.h"

#include "../target.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t greatest(uint64_t a, uint64_t b) { return a < b ? b : a; }

static uint64_t median(uint64_t a, uint64_t b, uint64_t c) {
    return greatest(least(a, b), least(greatest(a, b), c));
}

/* Insertion sort, for short runs. */
static void sort_few(uint64_t *entries, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        uint64_t entry = entries[i];
        int64_t j = i;
        for (; j > 0 && entries[j - 1] > entry; j--) entries[j] = entries[j - 1];
        entries[j] = entry;
    }
}

/* The k-th least (k >= 1) of n, which are reordered: partitions around a median of three, without branches on data. */
static uint64_t select_kth(uint64_t *a, int64_t n, int64_t k) {
    while (n > 24) {
        uint64_t pivot = median(a[n / 4], a[n / 2], a[n - 1 - n / 4]);
        int64_t below = 0;
        for (int64_t i = 0; i < n; i++) { /* what is not above the pivot moves to the front */
            uint64_t entry = a[i];
            a[i] = a[below];
            a[below] = entry;
            below += entry <= pivot;
        }
        if (k <= below) {
            if (below == n) { /* the pivot is the greatest: set it aside */
                int64_t at = 0;
                while (a[at] != pivot) at++;
                a[at] = a[n - 1];
                a[n - 1] = pivot;
                if (k == n) return pivot;
                n--;
            } else {
                n = below;
            }
        } else {
            a += below;
            n -= below;
            k -= below;
        }
    }
    sort_few(a, n);
    return a[k - 1];
}

uint64_t ec_reservoir_prune(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare) {
    memcpy(spare, entries, (size_t)n * sizeof *entries);
    uint64_t last = select_kth(spare, n, k);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        uint64_t entry = entries[i];
        entries[kept] = entry; /* kept <= i: written over what was read */
        kept += entry <= last;
    }
    return last;
}

/* One pass of a radix sort: by eight bits from `shift` on, order of equals kept. */
static void sort_by_byte(const uint64_t *in, int64_t n, int shift, const int64_t *counts, uint64_t *out) {
    int64_t place[256], sum = 0;
    for (int v = 0; v < 256; v++) {
        place[v] = sum;
        sum += counts[v];
    }
    for (int64_t i = 0; i < n; i++) out[place[in[i] >> shift & 255]++] = in[i];
}

void ec_reservoir_sort(uint64_t *entries, int64_t n, uint64_t *spare) {
    if (n <= 64) {
        sort_few(entries, n);
        return;
    }
    int64_t counts[4][256] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int b = 0; b < 4; b++) counts[b][entries[i] >> (32 + 8 * b) & 255]++;
    uint64_t *from = entries, *to = spare;
    for (int b = 0; b < 4; b++) {
        if (counts[b][from[0] >> (32 + 8 * b) & 255] == n) continue; /* all alike here */
        sort_by_byte(from, n, 32 + 8 * b, counts[b], to);
        uint64_t *other = from;
        from = to;
        to = other;
    }
    if (from != entries) memcpy(entries, from, (size_t)n * sizeof *entries);
}
