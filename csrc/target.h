/* Everything that depends on the compiler or the architecture: which architecture, regions of a file compiled for one
 * tier, and small portable verbs. */
#ifndef EC_TARGET_H
#define EC_TARGET_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error \
    "the services' bytes are little-endian and are moved as they are: a big-endian machine needs kernels that swap them"
#endif

/* For compilers that do not know -ffp-contract=off: every product and sum is rounded by itself, unless a kernel asks
 * for a fused multiply-add, so that all tiers give the same bits. */
#if defined(_MSC_VER) && !defined(__clang__)
#pragma fp_contract(off)
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define EC_X86_64 1
#include <immintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#define EC_AARCH64 1
#include <arm_neon.h>
#endif

/* A region of a file compiled for one tier:
 *     EC_TARGET_AVX2
 *     static ... functions with AVX2 intrinsics ...
 *     EC_TARGET_END
 * The rest of the file, and every other file, keeps the baseline flags. NEON is the baseline of AArch64. */
#define EC_PRAGMA(text) _Pragma(#text)
#define EC_AVX2_FEATURES "avx2,pclmul,fma,f16c,bmi,bmi2,lzcnt,popcnt"
#define EC_AVX512_FEATURES                                                                               \
    "avx2,pclmul,fma,f16c,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi," \
    "avx512vbmi2,avx512vnni,avx512bitalg,avx512vpopcntdq,gfni"

/* Whether the compiler has the VEX form of vpdpbusd. The EVEX form, of AVX-512, is in no file but those of the tier
 * avxvnni, and is written in the words of the assembler, so that a region of AVX2 keeps the registers of AVX2. */
#if defined(EC_X86_64) && ((defined(_MSC_VER) && !defined(__clang__) && _MSC_VER >= 1930) || \
                           (defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11))
#define EC_HAS_AVXVNNI 1
#endif
#define EC_AVXVNNI_FEATURES "avx2,pclmul,fma,f16c,bmi,bmi2,lzcnt,popcnt,avxvnni"

/* Whether the tier amx is built: where the assembler has the tiles' instructions and the operating system is known to
 * give the tiles to whoever asks. With EC_AMX_STAND_IN, for tests, plain C stands in for them: see dot/amx_tiles.h. */
#if defined(EC_X86_64) && (defined(EC_AMX_STAND_IN) || (defined(__linux__) && defined(EC_HAS_AVXVNNI)))
#define EC_HAS_AMX 1
#endif

/* Whether the compiler has the dot products of Armv8.2, for a region or for every file. */
#if defined(EC_AARCH64) && (!defined(_MSC_VER) || defined(__clang__))
#if defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__) || __clang_major__ >= 16
#define EC_HAS_DOTPROD 1
#endif
#endif
#if defined(__clang__)
#define EC_DOTPROD_FEATURES "dotprod"
#else
#define EC_DOTPROD_FEATURES "arch=armv8.2-a+dotprod"
#endif

#if (defined(EC_X86_64) || defined(EC_AARCH64)) && defined(__clang__)
#define EC_TARGET_REGION(features) \
    EC_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define EC_TARGET_END EC_PRAGMA(clang attribute pop)
#elif (defined(EC_X86_64) || defined(EC_AARCH64)) && defined(__GNUC__)
#define EC_TARGET_REGION(features) EC_PRAGMA(GCC push_options) EC_PRAGMA(GCC target(features))
#define EC_TARGET_END EC_PRAGMA(GCC pop_options)
#else /* MSVC needs no region: every intrinsic is always there */
#define EC_TARGET_REGION(features)
#define EC_TARGET_END
#endif

#define EC_TARGET_AVX2 EC_TARGET_REGION(EC_AVX2_FEATURES)
#define EC_TARGET_AVXVNNI EC_TARGET_REGION(EC_AVXVNNI_FEATURES)
#define EC_TARGET_AVX512 EC_TARGET_REGION(EC_AVX512_FEATURES)
#define EC_TARGET_DOTPROD EC_TARGET_REGION(EC_DOTPROD_FEATURES)

#if defined(__GNUC__) || defined(__clang__)
#define EC_LIKELY(x) __builtin_expect(!!(x), 1)
#define EC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define EC_INLINE static inline __attribute__((always_inline))
#define EC_NOINLINE __attribute__((noinline))
#define EC_RESTRICT __restrict__
#else
#define EC_LIKELY(x) (x)
#define EC_UNLIKELY(x) (x)
#define EC_INLINE static __forceinline
#define EC_NOINLINE __declspec(noinline)
#define EC_RESTRICT __restrict
#endif

/* Trailing zeros and leading zeros of a word that is not zero, and the set bits of any word. */
#if defined(__GNUC__) || defined(__clang__)
EC_INLINE int ec_trailing_zeros_u64(uint64_t x) { return __builtin_ctzll(x); }
EC_INLINE int ec_leading_zeros_u64(uint64_t x) { return __builtin_clzll(x); }
#else
#include <intrin.h>
EC_INLINE int ec_trailing_zeros_u64(uint64_t x) {
    unsigned long i;
    _BitScanForward64(&i, x);
    return (int)i;
}
EC_INLINE int ec_leading_zeros_u64(uint64_t x) {
    unsigned long i;
    _BitScanReverse64(&i, x);
    return 63 - (int)i;
}
#endif

EC_INLINE int ec_count_ones_u64(uint64_t x) {
    x = x - ((x >> 1) & 0x5555555555555555u);
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)((x * 0x0101010101010101u) >> 56);
}

/* Unaligned loads and stores. */
EC_INLINE uint64_t ec_load_u64(const void *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}
EC_INLINE uint32_t ec_load_u32(const void *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* Returns the low 64 bits of a product of 128 bits and sets *high to the others. */
EC_INLINE uint64_t ec_multiply_u64(uint64_t a, uint64_t b, uint64_t *high) {
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#elif defined(_M_X64)
    return _umul128(a, b, high);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), middle2 = a0 * b1 + (uint32_t)middle;
    *high = a1 * b1 + (middle >> 32) + (middle2 >> 32);
    return (middle2 << 32) | (uint32_t)low;
#endif
}

#endif
