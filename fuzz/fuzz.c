/* A libFuzzer target: one subject of tests/c, named by FAMILY, on every tier of this machine. */
#include "../tests/c/subjects.h"

#define NAME_OF(family) #family
#define NAME(family) NAME_OF(family)
#define JOIN(a, b) a##b
#define SUBJECT(family) JOIN(subject_, family)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    compare_tiers(NAME(FAMILY), SUBJECT(FAMILY), data, (int64_t)size);
    return 0;
}
