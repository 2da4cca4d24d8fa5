/* Chooses the kernels: start from scalar, let each allowed tier, from the plainest up, overlay the slots it fills. */
#include "kernels.h"

ec_kernels ec_active;

static uint32_t selected = 0;

static const struct {
    const char *name;
    uint32_t tier;
} TIERS[] = {
    {"scalar", EC_ISA_SCALAR},
    {"avx2", EC_ISA_AVX2},
    {"avx512", EC_ISA_AVX512},
    {"neon", EC_ISA_NEON},
    {"dotprod", EC_ISA_DOTPROD},
};

static void install_scalar(ec_kernels *table) {
    ec_base64_install_scalar(table);
    ec_dot_install_scalar(table);
    ec_numbers_install_scalar(table);
    ec_floats_install_scalar(table);
    ec_response_install_scalar(table);
    ec_bits_install_scalar(table);
    ec_quantize_install_scalar(table);
    ec_crc32_install_scalar(table);
    ec_hadamard_install_scalar(table);
    ec_lowbit_install_scalar(table);
    ec_hamming_install_scalar(table);
    ec_tables_install_scalar(table);
    ec_search_install_scalar(table);
    ec_fold_install_scalar(table);
}

#if defined(EC_X86_64)
static void install_avx2(ec_kernels *table) {
    ec_base64_install_avx2(table);
    ec_hamming_install_avx2(table);
    ec_tables_install_avx2(table);
    ec_search_install_avx2(table);
    ec_floats_install_avx2(table);
    ec_fold_install_avx2(table);
    ec_response_install_avx2(table);
    ec_dot_install_avx2(table);
    ec_numbers_install_avx2(table);
    ec_bits_install_avx2(table);
    ec_quantize_install_avx2(table);
    ec_crc32_install_avx2(table);
    ec_hadamard_install_avx2(table);
    ec_lowbit_install_avx2(table);
}

static void install_avx512(ec_kernels *table) {
    ec_base64_install_avx512(table);
    ec_hamming_install_avx512(table);
    ec_tables_install_avx512(table);
    ec_search_install_avx512(table);
    ec_fold_install_avx512(table);
    ec_dot_install_avx512(table);
    ec_floats_install_avx512(table);
    ec_response_install_avx512(table);
    ec_numbers_install_avx512(table);
    ec_bits_install_avx512(table);
    ec_quantize_install_avx512(table);
    ec_hadamard_install_avx512(table);
    ec_lowbit_install_avx512(table);
}
#endif

#if defined(EC_AARCH64)
static void install_neon(ec_kernels *table) {
    ec_base64_install_neon(table);
    ec_hamming_install_neon(table);
    ec_tables_install_neon(table);
    ec_dot_install_neon(table);
    ec_numbers_install_neon(table);
    ec_response_install_neon(table);
    ec_bits_install_neon(table);
    ec_quantize_install_neon(table);
    ec_hadamard_install_neon(table);
    ec_lowbit_install_neon(table);
    ec_search_install_neon(table);
}
#endif

uint32_t ec_isa_available(void) { return ec_cpu_tiers(); }

uint32_t ec_isa_active(void) { return selected; }

int32_t ec_isa_select(uint32_t tier) {
    if (tier == 0 || (tier & (tier - 1)) != 0 || (tier & ec_cpu_tiers()) == 0) return 0;
    ec_kernels table;
    memset(&table, 0, sizeof table);
    install_scalar(&table);
#if defined(EC_X86_64)
    if (tier >= EC_ISA_AVX2) install_avx2(&table);
    if (tier >= EC_ISA_AVX512) install_avx512(&table);
#elif defined(EC_AARCH64)
    if (tier >= EC_ISA_NEON) install_neon(&table);
#if defined(EC_DOTPROD)
    if (tier >= EC_ISA_DOTPROD) ec_dot_install_dotprod(&table);
#endif
#endif
    ec_active = table;
    selected = tier;
    return 1;
}

const char *ec_isa_name(uint32_t tier) {
    for (size_t i = 0; i < sizeof TIERS / sizeof TIERS[0]; i++)
        if (TIERS[i].tier == tier) return TIERS[i].name;
    return "";
}
