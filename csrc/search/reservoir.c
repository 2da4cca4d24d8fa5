/* Selection and sorting of entries, for search.c. Entries are distinct, because each names its row, so that there is
 * exactly one k-th least. */
#include "reservoir.h"

#include "../kernels.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a < b ? b : a; }

static uint64_t median(uint64_t a, uint64_t b, uint64_t c) { return most(least(a, b), least(most(a, b), c)); }

/* The k-th least, k >= 1, of n entries, which are reordered. Quickselect around a median of three; its partition has no
 * branch that depends on the entries. */
static uint64_t select_kth(uint64_t *a, int64_t n, int64_t k) {
    while (n > 24) {
        uint64_t pivot = median(a[n / 4], a[n / 2], a[n - 1 - n / 4]);
        int64_t below = 0;
        for (int64_t i = 0; i < n; i++) { /* entries that are not above the pivot move to the front */
            uint64_t entry = a[i];
            a[i] = a[below];
            a[below] = entry;
            below += entry <= pivot;
        }
        if (k <= below) {
            if (below == n) { /* the pivot is the greatest entry: drop it */
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

/* Guesses a bound for pruning: an entry that is not below the k-th least and not much above it. Returns 0 where no such
 * entry is found. For k <= EC_ENTRY_GROUPS it is the k-th least of the groups' minima: these are k entries that are not
 * above it. For larger k a sorted sample of the entries is tried from where the k-th least is expected. */
static uint64_t guess_kth(const uint64_t *entries, int64_t n, int64_t k) {
    uint64_t some[EC_ENTRY_GROUPS], sorted[EC_ENTRY_GROUPS];
    if (n < EC_ENTRY_GROUPS) return 0; /* a sample would hold an entry twice, which not every tier can sort */
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

/* One pass of a radix sort: by the eight bits from `shift` on, where counts[v] entries have the value v. Entries with
 * equal bits keep their order. */
static void sort_by_byte(const uint64_t *in, int64_t n, int shift, const int64_t *counts, uint64_t *out) {
    int64_t place[256], sum = 0;
    for (int v = 0; v < 256; v++) {
        place[v] = sum;
        sum += counts[v];
    }
    for (int64_t i = 0; i < n; i++) out[place[in[i] >> shift & 255]++] = in[i];
}

/* Sorts n entries, which are in order of their rows already, by their keys: a radix sort of four passes. Returns where
 * the sorted entries are, `entries` or `spare`. */
static uint64_t *sort_many(uint64_t *entries, int64_t n, uint64_t *spare) {
    int64_t counts[4][256] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int b = 0; b < 4; b++) counts[b][entries[i] >> (32 + 8 * b) & 255]++;
    uint64_t *from = entries, *to = spare;
    for (int b = 0; b < 4; b++) {
        if (counts[b][from[0] >> (32 + 8 * b) & 255] == n) continue; /* all entries have the same byte here */
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
