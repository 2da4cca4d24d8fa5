/* Shuffles that push the bytes of a few small integers' texts together, where some digits are absent. */
#ifndef EC_NUMBERS_PUSHES_H
#define EC_NUMBERS_PUSHES_H

#include <stdint.h>

/* Of four unsigned numbers, or of signed ones below 100, which have the sign where the others have hundreds. Bit i of the
 * index says that number i has it, bit 4 + i that it has tens.
 *
 *     source    h t o ,   h t o ,   h t o ,   h t o ,
 */
extern const uint64_t ec_push_four[256][2];

/* Of three signed ones. Bit i of the index says that number i has a '-', bit 3 + i hundreds, bit 6 + i tens.
 *
 *     source    - h t o   - h t o   - h t o   . . . ,      the comma goes behind each number
 */
extern const uint64_t ec_push_three[512][2];

#endif
