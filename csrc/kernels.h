/* The kernel table: one slot a kernel. Scalar fills every slot; each tier overlays those that it has better code for.
 *
 * A slot's contract is stated at its scalar twin, which is the specification. Slots do not check capacities or arguments:
 * the public functions of embcodec.h do, once a batch. */
#ifndef EC_KERNELS_H
#define EC_KERNELS_H

#include "embcodec.h"
#include "target.h"

typedef struct ec_kernels {
    /* base64 */
    /* numbers */
    /* bits */
    /* quantize */
    /* hamming */
    /* dot */
    /* response */
    /* topk */
    int unused; /* replaced by the first slot */
} ec_kernels;

/* The kernels in force: written by ec_isa_select() alone, at import and in tests. */
extern ec_kernels ec_active;

uint32_t ec_cpu_tiers(void);

/* One installer a family and tier, each declared here and called by dispatch.c. */

#endif
