/* Selection and sorting of entries. Entries are distinct (each names its row), so there is one k-th least. */
#include "reservoir.h"

#include "../kernels.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a < b ? b : a; }

static uint64_t median(uint64_t a, uint64_t b, uint64_t c) { return most(least(a, b), least(most(a, b), c)); }

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
    uint64_t sorted[24];
    ec_active.entries_sort(a, n, sorted);
    return sorted[k - 1];
}

/* An entry of n that is not below the k-th least, and not much above it; 0 where no such was found. The greatest of the k
 * least minima of groups has k entries that are not above it; of larger k a sample tells where to look. */
static uint64_t guess_kth(const uint64_t *entries, int64_t n, int64_t k) {
    uint64_t some[EC_ENTRY_GROUPS], sorted[EC_ENTRY_GROUPS];
    if (n < EC_ENTRY_GROUPS) return 0; /* a sample would hold entries twice, which not every tier sorts */
    if (k <= EC_ENTRY_GROUPS) {
        ec_active.entries_minima(entries, n, some);
        ec_active.entries_sort(some, EC_ENTRY_GROUPS, sorted);
        return sorted[k - 1];
    }
    for (int64_t i = 0; i < EC_ENTRY_GROUPS; i++) some[i] = entries[(2 * i + 1) * n / (2 * EC_ENTRY_GROUPS)];
    ec_active.entries_sort(some, EC_ENTRY_GROUPS, sorted);
    for (int64_t i = EC_ENTRY_GROUPS * k / n; i < EC_ENTRY_GROUPS; i++)
        if (ec_active.entries_count(entries, n, sorted[i]) >= k) return sorted[i];
    return 0;
}

int64_t ec_reservoir_prune(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *greatest) {
    for (int turn = 0; turn < 2 && n > EC_FEW_ENTRIES; turn++) {
        *greatest = guess_kth(entries, n, k);
        if (*greatest == 0) break;
        n = ec_active.entries_keep(entries, n, *greatest);
        if (n <= ec_reservoir_rest(k)) return n;
    }
    if (n <= EC_FEW_ENTRIES) {
        ec_active.entries_sort(entries, n, spare);
        *greatest = spare[k - 1];
    } else {
        memcpy(spare, entries, (size_t)n * sizeof *entries);
        *greatest = select_kth(spare, n, k);
    }
    return ec_active.entries_keep(entries, n, *greatest);
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

/* Sort n entries that are in order of their rows already. Returns where they are then: there or in `spare`. */
static uint64_t *sort_many(uint64_t *entries, int64_t n, uint64_t *spare) {
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
    return from;
}

void ec_reservoir_deliver(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *out) {
    uint64_t greatest, *sorted = spare;
    if (n > EC_FEW_ENTRIES && n > ec_reservoir_rest(k)) n = ec_reservoir_prune(entries, n, k, spare, &greatest);
    if (n <= EC_FEW_ENTRIES)
        ec_active.entries_sort(entries, n, sorted);
    else
        sorted = sort_many(entries, n, spare);
    memcpy(out, sorted, (size_t)k * sizeof *out);
}
