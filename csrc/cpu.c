/* Finds the tiers that this CPU can run under this operating system, which must save their registers. A CPU that lacks
 * one feature of a tier does not have the tier. */
#include "kernels.h"

#if defined(EC_X86_64)
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]) { __cpuidex((int *)out, (int)leaf, (int)subleaf); }
static uint64_t enabled_states(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
    __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}
static uint64_t enabled_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
#endif

#define BIT(n) (1u << (n))
#define HAS(word, mask) (((word) & (mask)) == (mask))

/* Words of cpuid, 0 where the CPU has no such leaf, and the register states that the operating system saves. */
typedef struct {
    uint32_t leaf1_c, leaf7_b, leaf7_c, extended_c;
    uint64_t states;
} features;

static features read_features(void) {
    features f = {0};
    uint32_t r[4];
    cpuid(0, 0, r);
    if (r[0] < 7) return f;
    cpuid(1, 0, r);
    f.leaf1_c = r[2];
    cpuid(7, 0, r);
    f.leaf7_b = r[1];
    f.leaf7_c = r[2];
    cpuid(0x80000000u, 0, r);
    if (r[0] >= 0x80000001u) {
        cpuid(0x80000001u, 0, r);
        f.extended_c = r[2];
    }
    if (HAS(f.leaf1_c, BIT(27))) f.states = enabled_states(); /* osxsave */
    return f;
}

/* leaf 1 ecx: pclmulqdq 1, fma 12, popcnt 23, avx 28, f16c 29; leaf 7 ebx: bmi1 3, avx2 5, bmi2 8; leaf 0x80000001 ecx:
 * lzcnt 5; states 0x06: xmm and ymm */
static int has_avx2(const features *f) {
    return HAS(f->leaf1_c, BIT(1) | BIT(12) | BIT(23) | BIT(28) | BIT(29)) &&
           HAS(f->leaf7_b, BIT(3) | BIT(5) | BIT(8)) && HAS(f->extended_c, BIT(5)) && HAS(f->states, 0x06);
}

/* leaf 7 ebx: f 16, dq 17, cd 28, bw 30, vl 31; ecx: vbmi 1, vbmi2 6, gfni 8, vnni 11, bitalg 12, vpopcntdq 14; states
 * 0xe0: mask registers and the whole of zmm */
static int has_avx512(const features *f) {
    return HAS(f->leaf7_b, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) &&
           HAS(f->leaf7_c, BIT(1) | BIT(6) | BIT(8) | BIT(11) | BIT(12) | BIT(14)) && HAS(f->states, 0xe0);
}

/* A tier counts only on top of the tiers below it. */
uint32_t ec_cpu_tiers(void) {
    const features f = read_features();
    uint32_t tiers = EC_ISA_SCALAR;
    if (!has_avx2(&f)) return tiers;
    tiers |= EC_ISA_AVX2;
    if (!has_avx512(&f)) return tiers;
    return tiers | EC_ISA_AVX512;
}

#elif defined(EC_AARCH64)
#if defined(EC_HAS_DOTPROD) && defined(__linux__)
#include <sys/auxv.h>
static int has_dotprod(void) {
    const unsigned long has = getauxval(AT_HWCAP);
    return (has >> 20 & has >> 7 & 1) != 0; /* HWCAP_ASIMDDP, HWCAP_CRC32 */
}
#elif defined(EC_HAS_DOTPROD) && (defined(__APPLE__) || defined(__ARM_FEATURE_DOTPROD))
static int has_dotprod(void) { return 1; } /* every Mac has it, and every machine that this was compiled for */
#else
static int has_dotprod(void) { return 0; }
#endif

uint32_t ec_cpu_tiers(void) { return EC_ISA_SCALAR | EC_ISA_NEON | (has_dotprod() ? EC_ISA_DOTPROD : 0); }
#else
uint32_t ec_cpu_tiers(void) { return EC_ISA_SCALAR; }
#endif
