#include "tiers.h"

#include <stdio.h>
#include <stdlib.h>
#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "kernels.h"

enum { BUFFERS = 16, MOST_TIERS = 32 /* bits of enum ec_isa */ };

static uint8_t *buffers[BUFFERS]; /* each MOST_BYTES between two pages without access */
static int placed;
static bool at_start;

static uint8_t logs[2][MOST_BYTES];
static int64_t logged;
static uint8_t *log_in_use;

/* The kernels of each tier, since asking the machine for its tiers takes longer than most subjects do. */
static struct {
    uint32_t tier;
    ec_kernels kernels;
} tiers[MOST_TIERS];
static int tier_count;

static uint32_t now_tier;
static const char *now_name;
static const uint8_t *now_input;
static int64_t now_n;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "\n%s on tier %s: %s%s\ninput, %lld bytes:", now_name, ec_isa_name(now_tier), what, detail,
            (long long)now_n);
    for (int64_t i = 0; i < now_n && i < 2048; i++) fprintf(stderr, "%s%02x", i % 32 ? " " : "\n ", now_input[i]);
    fprintf(stderr, "\n");
    abort();
}

void broken(const char *condition) { fail("does not hold: ", condition); }

/* Returns MOST_BYTES between pages that must not be touched, or NULL. */
#if defined(_WIN32)
static uint8_t *guarded(void) {
    const size_t page = 1 << 16; /* at least */
    uint8_t *all = VirtualAlloc(NULL, MOST_BYTES + 2 * page, MEM_RESERVE, PAGE_NOACCESS);
    return all == NULL ? NULL : VirtualAlloc(all + page, MOST_BYTES, MEM_COMMIT, PAGE_READWRITE);
}
#else
static uint8_t *guarded(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *all = mmap(NULL, MOST_BYTES + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + page, MOST_BYTES, PROT_READ | PROT_WRITE) != 0) return NULL;
    return all + page;
}
#endif

static void make_buffers(void) {
    for (int i = 0; i < BUFFERS; i++) {
        buffers[i] = guarded();
        if (buffers[i] != NULL) continue;
        fprintf(stderr, "no memory between guarded pages\n");
        exit(2);
    }
}

uint8_t *place(int64_t n) {
    if (placed == BUFFERS || n < 0 || n > MOST_BYTES) fail("no such buffer", "");
    uint8_t *buffer = buffers[placed++];
    if (!at_start) buffer += MOST_BYTES - n;
    memset(buffer, 0xa5 ^ (int)now_tier, (size_t)n); /* what a kernel forgets to write differs from what scalar wrote */
    return buffer;
}

uint8_t *place_copy(const void *data, int64_t n) {
    uint8_t *buffer = place(n);
    if (n > 0) memcpy(buffer, data, (size_t)n);
    return buffer;
}

void record(const void *data, int64_t n) {
    if (n < 0 || n > MOST_BYTES - logged) fail("records too much", "");
    if (n > 0) memcpy(log_in_use + logged, data, (size_t)n);
    logged += n;
}

void record_floats(uint8_t *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, values + 4 * i, 4);
        if (value != value) memset(values + 4 * i, 0xff, 4);
    }
    record(values, count * 4);
}

void record_result(ec_result result) {
    int64_t values[3] = {result.status, result.consumed, result.produced};
    record(values, sizeof values);
}

static void list_tiers(void) {
    for (uint32_t tier = EC_ISA_SCALAR; *ec_isa_name(tier) && tier_count < MOST_TIERS; tier <<= 1) {
        if (!ec_isa_select(tier)) continue;
        tiers[tier_count].tier = tier;
        tiers[tier_count++].kernels = ec_active;
    }
}

static int64_t run_on(int t, subject *run, uint8_t *into) {
    now_tier = tiers[t].tier;
    ec_active = tiers[t].kernels;
    placed = 0;
    logged = 0;
    log_in_use = into;
    run(now_input, now_n);
    return logged;
}

static void begin(const char *name, const uint8_t *input, int64_t n) {
    if (tier_count == 0) {
        make_buffers();
        list_tiers();
    }
    now_name = name;
    now_input = input;
    now_n = n;
    at_start = n > 0 && (n + input[n - 1]) & 1;
}

void run_with(const ec_kernels *kernels, subject *run, const uint8_t *input, int64_t n) {
    begin("a trap", input, n);
    ec_active = *kernels;
    placed = 0;
    logged = 0;
    log_in_use = logs[0];
    run(input, n);
}

void compare_tiers(const char *name, subject *run, const uint8_t *input, int64_t n) {
    begin(name, input, n);
    int64_t expected = run_on(0, run, logs[0]);
    for (int t = 1; t < tier_count; t++) {
        int64_t found = run_on(t, run, logs[1]);
        if (found != expected) fail("records another length than scalar", "");
        for (int64_t i = 0; i < found; i++) {
            if (logs[0][i] == logs[1][i]) continue;
            char detail[80];
            snprintf(detail, sizeof detail, "%d where scalar has %d, byte %lld of the record", logs[1][i], logs[0][i],
                     (long long)i);
            fail("records ", detail);
        }
    }
}
