/* Which tier's kernels are in force, and choosing another. */
#ifndef EC_CONTRACT_ISA_H
#define EC_CONTRACT_ISA_H

#include "results.h"

enum ec_isa {
    EC_ISA_SCALAR = 1,
    EC_ISA_AVX2 = 2,
    EC_ISA_AVXVNNI = 4,
    EC_ISA_AVX512 = 8,
    EC_ISA_AMX = 16,
    EC_ISA_NEON = 32,
    EC_ISA_DOTPROD = 64,
};

uint32_t ec_isa_available(void);        /* all that this machine can run: a set of enum ec_isa */
uint32_t ec_isa_active(void);           /* one of them */
int32_t ec_isa_select(uint32_t tier);   /* 1, or 0 where this machine lacks the tier; not thread-safe */
const char *ec_isa_name(uint32_t tier); /* "scalar", "avx2", ...; "" where there is no such tier */

#endif
