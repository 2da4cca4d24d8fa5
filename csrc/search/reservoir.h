/* The k best so far of one query. The scan appends entries that are below the query's limit; when the room is used up,
 * most entries but the k least are dropped, and the limit is lowered to the greatest that is left. An entry is moved
 * only a few times, whatever k is, so that it costs a few cycles: a heap would cost log k unpredictable branches. */
#ifndef EC_SEARCH_RESERVOIR_H
#define EC_SEARCH_RESERVOIR_H

#include <stdint.h>

/* The number of entries beyond k that there is room for. */
static inline int64_t ec_reservoir_slack(int64_t k) { return k < 32 ? 32 : k; }

/* The number of entries from which on pruning pays: at all, and for the first time. The first pruning comes as early as
 * it can for small k, because all rows pass until there is a limit. */
static inline int64_t ec_reservoir_full(int64_t k) { return k + ec_reservoir_slack(k); }
static inline int64_t ec_reservoir_first(int64_t k) { return k <= 32 ? k : ec_reservoir_full(k); }

/* The same after pruning that left `kept` entries, where each that passes costs as much as pruning some tens of them: a
 * limit that follows more closely lets fewer pass. */
static inline int64_t ec_reservoir_soon(int64_t kept, int64_t k) {
    const int64_t full = (kept < k ? k : kept) + ec_reservoir_slack(k) / 4;
    return full < ec_reservoir_full(k) ? full : ec_reservoir_full(k);
}

/* The most entries that pruning leaves. */
static inline int64_t ec_reservoir_rest(int64_t k) { return k + ec_reservoir_slack(k) / 4; }

/* Moves the k least of n >= k >= 1 entries, and perhaps some more, to the front, keeping their order: at most
 * ec_reservoir_rest(k) entries. Returns their number, and sets *greatest to the greatest of them. `spare` has room for
 * n entries. */
int64_t ec_reservoir_prune(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *greatest);

/* Writes the k least of n >= k entries to `out`, sorted. The entries are in order of their rows, as the scan appends
 * them; they are lost. `spare` has room for n entries. */
void ec_reservoir_deliver(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *out);

#endif
