/* How a family of kernels says which tiers it has. The file of a tier ends with the slots that it fills,
 *
 *     EC_SLOTS(base64, avx2) {
 *         table->base64_encode = encode_avx2;
 *         table->base64_decode = decode_avx2;
 *     }
 *
 * and scalar.c, which every family has, ends with the list of the tiers that have such a file:
 *
 *     EC_INSTALL(base64, EC_SCALAR(base64) EC_AVX2(base64) EC_AVX512(base64) EC_NEON(base64))
 *
 * This defines ec_base64_install(table, tier), which dispatch.c calls for one tier after the other, the plainest first.
 * Slots that a tier does not fill, and tiers that a family does not name, leave the slots of the plainer tiers as they
 * are. Tiers of another architecture expand to nothing. */
#ifndef EC_TIERS_H
#define EC_TIERS_H

#include "target.h"

#define EC_SLOTS(family, tier)                                 \
    void ec_slots_##family##_##tier(struct ec_kernels *table); \
    void ec_slots_##family##_##tier(struct ec_kernels *table)

#define EC_INSTALL(family, tiers)                                         \
    void ec_##family##_install(struct ec_kernels *table, uint32_t tier);  \
    void ec_##family##_install(struct ec_kernels *table, uint32_t tier) { \
        switch (tier) { tiers }                                           \
    }

#define EC_LAY(isa, family, tier)                                   \
    case isa: {                                                     \
        void ec_slots_##family##_##tier(struct ec_kernels * table); \
        ec_slots_##family##_##tier(table);                          \
        break;                                                      \
    }

#define EC_SCALAR(family) EC_LAY(EC_ISA_SCALAR, family, scalar)

#if defined(EC_X86_64)
#define EC_AVX2(family) EC_LAY(EC_ISA_AVX2, family, avx2)
#define EC_AVX512(family) EC_LAY(EC_ISA_AVX512, family, avx512)
#else
#define EC_AVX2(family)
#define EC_AVX512(family)
#endif

#if defined(EC_HAS_AVXVNNI)
#define EC_AVXVNNI(family) EC_LAY(EC_ISA_AVXVNNI, family, avxvnni)
#else
#define EC_AVXVNNI(family)
#endif

#if defined(EC_HAS_AMX)
#define EC_AMX(family) EC_LAY(EC_ISA_AMX, family, amx)
#else
#define EC_AMX(family)
#endif

#if defined(EC_AARCH64)
#define EC_NEON(family) EC_LAY(EC_ISA_NEON, family, neon)
#else
#define EC_NEON(family)
#endif

#if defined(EC_HAS_DOTPROD)
#define EC_DOTPROD(family) EC_LAY(EC_ISA_DOTPROD, family, dotprod)
#else
#define EC_DOTPROD(family)
#endif

#endif
