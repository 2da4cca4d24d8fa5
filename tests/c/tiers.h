/* Runs a subject once a tier and holds what each tier recorded to what scalar did, byte for byte.
 *
 * A subject is a function of some input bytes that calls the public functions of one family and records everything that
 * a caller could observe. It draws its parameters from the input too, so that random tests and fuzzers drive it alike.
 */
#ifndef TIERS_H
#define TIERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "embcodec.h"

typedef void subject(const uint8_t *input, int64_t n);

/* Run on every tier, scalar first. A difference, or a property that does not hold, is printed and aborts. */
void compare_tiers(const char *name, subject *run, const uint8_t *input, int64_t n);

/* Whether the subject calls every slot of the kernel table that is said to be its family's: what is recorded of them is
 * then compared. `make` makes the next input. Slots that are not reached are printed. */
bool reach_slots(const char *family, subject *run, void (*make)(void), const uint8_t *input, const int64_t *used);

/* Run with kernels of any kind; what is recorded is lost. */
struct ec_kernels;
void run_with(const struct ec_kernels *kernels, subject *run, const uint8_t *input, int64_t n);

/* ---- for subjects ---- */

enum { MOST_BYTES = 1 << 21 }; /* of one buffer, and of all that is recorded */

void record(const void *data, int64_t n);
void record_result(ec_result result);

/* As record, with one NaN for all: which NaN a sum of two infinities gives is the machine's choice. */
void record_floats(uint8_t *values, int64_t count);

/* A buffer of n bytes that lies flush against an inaccessible page, at its end or its start as the input decides. It is
 * good until the subject returns; at most eight. It holds other bytes on every tier: record only what is written. */
uint8_t *place(int64_t n);
uint8_t *place_copy(const void *data, int64_t n);

/* Abort where a property does not hold. */
#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition))
void broken(const char *condition);

#endif
