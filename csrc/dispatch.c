/* Fills the kernel table: ec_isa_select(), called at import, lets scalar and then each tier that the machine has, up to
 * the wanted one, write its slots over those of the plainer tiers. */
#include "families.h"
#include "kernels.h"

ec_kernels ec_active;

static uint32_t selected = 0;

static const struct {
    const char *name;
    uint32_t tier;
} TIERS[] = {
    {.name = "scalar", .tier = EC_ISA_SCALAR},   {.name = "avx2", .tier = EC_ISA_AVX2},
    {.name = "avxvnni", .tier = EC_ISA_AVXVNNI}, {.name = "avx512", .tier = EC_ISA_AVX512},
    {.name = "amx", .tier = EC_ISA_AMX},         {.name = "neon", .tier = EC_ISA_NEON},
    {.name = "dotprod", .tier = EC_ISA_DOTPROD},
};

#define DECLARE(family) void ec_##family##_install(ec_kernels *table, uint32_t tier);
EC_FAMILIES(DECLARE)

static void install(ec_kernels *table, uint32_t tier) {
#define INSTALL(family) ec_##family##_install(table, tier);
    EC_FAMILIES(INSTALL)
    /* Lets every family write its slots of one tier into the table. */
}

/* What the machine has, asked for once: a permission of the operating system may hang on it. */
uint32_t ec_isa_available(void) {
    static uint32_t available = 0;
    if (available == 0) available = ec_cpu_tiers();
    return available;
}

uint32_t ec_isa_active(void) { return selected; }

int32_t ec_isa_select(uint32_t tier) {
    const uint32_t available = ec_isa_available();
    if (tier == 0 || (tier & (tier - 1)) != 0 || (tier & available) == 0) return 0;
    ec_kernels table;
    memset(&table, 0, sizeof table);
    for (uint32_t below = EC_ISA_SCALAR; below <= tier; below <<= 1)
        if (below & available) install(&table, below);
    ec_active = table;
    selected = tier;
    return 1;
}

const char *ec_isa_name(uint32_t tier) {
    for (size_t i = 0; i < sizeof TIERS / sizeof TIERS[0]; i++)
        if (TIERS[i].tier == tier) return TIERS[i].name;
    return "";
}
