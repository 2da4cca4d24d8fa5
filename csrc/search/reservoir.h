/* The k best so far of one query: entries are appended below a limit, and when the room is used up most but the k least
 * are dropped and the limit is lowered. Amortised, an entry costs a few cycles whatever k is. */
#ifndef EC_SEARCH_RESERVOIR_H
#define EC_SEARCH_RESERVOIR_H

#include <stdint.h>

/* Room beyond k. */
static inline int64_t ec_reservoir_slack(int64_t k) { return k < 32 ? 32 : k; }

/* Entries that are worth pruning, and those that are worth a first limit, without which all rows pass. */
static inline int64_t ec_reservoir_full(int64_t k) { return k + ec_reservoir_slack(k); }
static inline int64_t ec_reservoir_first(int64_t k) { return k <= 32 ? k : ec_reservoir_full(k); }

/* Entries that pruning leaves at most. */
static inline int64_t ec_reservoir_rest(int64_t k) { return k + ec_reservoir_slack(k) / 4; }

/* Move some of n >= k entries to the front, in the order they were in: the k least, and no more than
 * ec_reservoir_rest(k). Returns how many, and the greatest of them. `spare` has room for n. k >= 1. */
int64_t ec_reservoir_prune(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *greatest);

/* Put the k least of n >= k entries, which are in order of their rows as the scan appends them, into `out`, sorted.
 * Entries are used up; `spare` has room for n. */
void ec_reservoir_deliver(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare, uint64_t *out);

#endif
