/* Brings chosen bytes of eight to the front. */
#ifndef EC_NUMBERS_COMPACT_H
#define EC_NUMBERS_COMPACT_H

#include <stdint.h>

/* For each set of eight bytes the places of those in it, from the lowest byte on, and 0x80 for what is left. */
extern const uint64_t ec_compact_eight[256];

#endif
