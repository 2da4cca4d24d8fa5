/* The k best so far of one query: entries are appended below a limit, and when the room is used up all but the k least
 * are dropped and the limit is lowered. Amortised, an entry costs a few cycles whatever k is. */
#ifndef EC_SEARCH_RESERVOIR_H
#define EC_SEARCH_RESERVOIR_H

#include <stdint.h>

/* Room beyond k before it is worth pruning. */
static inline int64_t ec_reservoir_slack(int64_t k) { return k < 32 ? 32 : k; }

/* Entries of room for k, where `most` more may be appended between two checks. */
static inline int64_t ec_reservoir_capacity(int64_t k, int64_t most) { return k + ec_reservoir_slack(k) + most; }

/* Move the k least of n > k entries to the front, in the order they were in; return the greatest of them. `spare` has
 * room for n. k >= 1. */
uint64_t ec_reservoir_prune(uint64_t *entries, int64_t n, int64_t k, uint64_t *spare);

/* Sort n entries that are in order of their rows already, as the scan appends them. `spare` has room for n. */
void ec_reservoir_sort(uint64_t *entries, int64_t n, uint64_t *spare);

#endif
