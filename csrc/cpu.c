/* Finds the tiers that this CPU can run under this operating system, which must save their registers. A CPU that lacks
 * one feature of a tier does not have the tier. */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* syscall() */
#endif
#include "kernels.h"

#if defined(EC_X86_64)
#if defined(EC_HAS_AMX) && !defined(EC_AMX_STAND_IN)
#include <sys/syscall.h>
#include <unistd.h>
#endif
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
    uint32_t leaf1_c, leaf7_b, leaf7_c, leaf7_d, leaf7_1_a, extended_c;
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
    f.leaf7_d = r[3];
    if (r[0] >= 1) { /* the highest subleaf */
        cpuid(7, 1, r);
        f.leaf7_1_a = r[0];
    }
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

/* leaf 7, 1 eax: avx-vnni 4 */
static int has_vex_dots(const features *f) { return HAS(f->leaf7_1_a, BIT(4)); }

/* Asked by every family whenever a tier is chosen, and cpuid takes microseconds within a virtual machine. */
int ec_cpu_has_vex_dots(void) {
    static int has = -1;
    if (has < 0) {
        const features f = read_features();
        has = has_vex_dots(&f);
    }
    return has;
}

/* 256-bit vpdpbusd in either form; the EVEX form, of vl 31 and vnni 11, needs the registers of AVX-512 saved. */
static int has_avxvnni(const features *f) {
#if defined(EC_HAS_AVXVNNI)
    return has_vex_dots(f) || (HAS(f->leaf7_b, BIT(16) | BIT(31)) && HAS(f->leaf7_c, BIT(11)) && HAS(f->states, 0xe0));
#else
    (void)f;
    return 0;
#endif
}

/* leaf 7 edx: amx-tile 24, amx-int8 25; states 0x60000: the tiles' configuration and the tiles. Linux keeps the 8 KB of
 * tiles only of processes that have asked: before that an instruction that touches them is a fault. */
static int has_amx(const features *f) {
#if defined(EC_AMX_STAND_IN)
    (void)f;
    return 1;
#elif defined(EC_HAS_AMX)
    enum { REQUEST_PERMISSION = 0x1023, TILES = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return HAS(f->leaf7_d, BIT(24) | BIT(25)) && HAS(f->states, 0x60000) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILES) == 0;
#else
    (void)f;
    return 0;
#endif
}

/* A tier counts only on top of the tiers that it inherits from. */
uint32_t ec_cpu_tiers(void) {
    const features f = read_features();
    uint32_t tiers = EC_ISA_SCALAR;
    if (!has_avx2(&f)) return tiers;
    tiers |= EC_ISA_AVX2;
    if (has_avxvnni(&f)) tiers |= EC_ISA_AVXVNNI;
    if (!has_avx512(&f)) return tiers;
    tiers |= EC_ISA_AVX512;
    return has_amx(&f) ? tiers | EC_ISA_AMX : tiers;
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
