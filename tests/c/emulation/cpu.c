/* Instructions that this machine lacks, done in C where it refuses them: those of AMX's tiles, and the VEX form of
 * vpdpbusd. So the kernels that are shipped run on any machine with AVX-512, their encodings, operands and
 * configuration of tiles with them. Linked in the place of csrc/cpu.c; Linux on x86-64 alone. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <stdbool.h>
#include <unistd.h>

#include "kernels.h"

uint32_t ec_cpu_tiers(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return EC_ISA_SCALAR;
    const uint32_t tiers = EC_ISA_SCALAR | EC_ISA_AVX2 | EC_ISA_AVXVNNI;
    return __builtin_cpu_supports("avx512vpopcntdq") ? tiers | EC_ISA_AVX512 | EC_ISA_AMX : tiers;
}

int ec_cpu_has_vex_dots(void) { return 1; }

static uint8_t tile[8][16][64];
static bool configured;
static long done;
static uint32_t ymm_halves; /* where a frame has the upper halves of ymm */

static void refuse(const char *why, const uint8_t *at) {
    fprintf(stderr, "%s:", why);
    for (int i = 0; i < 10; i++) fprintf(stderr, " %02x", at[i]);
    fprintf(stderr, "\n");
    _exit(3);
}

/* One instruction of the map 0f38: C4 RXBmmmmm WvvvvLpp opcode modrm. */
typedef struct {
    int opcode, prefix, length_256, reg, vvvv, rm; /* rm: a register, or -1 for memory */
    uint64_t base, index;                          /* of memory, the index scaled */
    const uint8_t *end;
} instruction;

static instruction decode(const uint8_t *at, const greg_t *registers) {
    static const int NUMBER[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                   REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    if (at[0] != 0xc4 || (at[1] & 31) != 2) refuse("an illegal instruction", at);
    const int r = at[1] & 0x80 ? 0 : 8, x = at[1] & 0x40 ? 0 : 8, b = at[1] & 0x20 ? 0 : 8;
    const int mode = at[4] >> 6, low = at[4] & 7;
    instruction i = {.opcode = at[3],
                     .prefix = at[2] & 3,
                     .length_256 = at[2] >> 2 & 1,
                     .reg = (at[4] >> 3 & 7) | r,
                     .vvvv = ~(at[2] >> 3) & 15,
                     .rm = mode == 3 ? low | b : -1,
                     .end = at + 5};
    int32_t displacement = 0;
    if (mode == 3) return i;
    int base = low | b;
    if (low == 4) {
        const int sib = *i.end++, index = (sib >> 3 & 7) | x;
        base = (sib & 7) | b;
        if (index != 4) i.index = (uint64_t)registers[NUMBER[index]] << (sib >> 6);
    }
    const bool relative = mode == 0 && low == 5;
    if (mode == 0 && low == 4 && (base & 7) == 5) refuse("an address without a base", at);
    if (mode == 1) displacement = (int8_t)*i.end++;
    if (mode == 2 || relative) {
        memcpy(&displacement, i.end, 4);
        i.end += 4;
    }
    i.base = (relative ? (uint64_t)(uintptr_t)i.end : (uint64_t)registers[NUMBER[base]]) + (uint64_t)displacement;
    return i;
}

/* ---- tiles ---- */

static void add_tiles(uint8_t sums[16][64], uint8_t rows[16][64], uint8_t queries[16][64]) {
    for (int r = 0; r < 16; r++)
        for (int q = 0; q < 16; q++) {
            int32_t sum;
            memcpy(&sum, sums[r] + 4 * q, 4);
            for (int k = 0; k < 64; k++) sum += (int8_t)rows[r][k] * (int8_t)queries[k / 4][4 * q + k % 4];
            memcpy(sums[r] + 4 * q, &sum, 4);
        }
}

static void configure(const uint8_t *wanted, const uint8_t *at) {
    if (configured || wanted[0] != 1 || wanted[1] != 0) refuse("a configuration", at);
    for (int t = 0; t < 16; t++)
        if (wanted[16 + 2 * t] != (t < 8 ? 64 : 0) || wanted[17 + 2 * t] || wanted[48 + t] != (t < 8 ? 16 : 0))
            refuse("shapes of tiles", at);
    memset(tile, 0, sizeof tile);
    configured = true;
}

enum { NONE = 0, P66 = 1, PF3 = 2, PF2 = 3, CONFIGURE = 0x49, MOVE = 0x4b, DOT_TILES = 0x5e, DOT_BYTES = 0x50 };

static void on_tiles(const instruction *i, const uint8_t *at) {
    uint8_t *memory = (uint8_t *)(uintptr_t)i->base;
    if (i->opcode == CONFIGURE && i->prefix == NONE && i->rm < 0) {
        configure(memory + i->index, at);
        return;
    }
    if (!configured) refuse("tiles that are not configured", at);
    if (i->opcode == CONFIGURE && i->prefix == NONE)
        configured = false;
    else if (i->opcode == CONFIGURE && i->prefix == PF2)
        memset(tile[i->reg], 0, sizeof tile[0]);
    else if (i->opcode == MOVE && i->prefix == PF2)
        for (int r = 0; r < 16; r++) memcpy(tile[i->reg][r], memory + (int64_t)i->index * r, 64);
    else if (i->opcode == MOVE && i->prefix == PF3)
        for (int r = 0; r < 16; r++) memcpy(memory + (int64_t)i->index * r, tile[i->reg][r], 64);
    else if (i->opcode == DOT_TILES && i->prefix == PF2 && i->reg != i->rm && i->reg != i->vvvv && i->rm != i->vvvv)
        add_tiles(tile[i->reg], tile[i->rm], tile[i->vvvv]);
    else
        refuse("an illegal instruction", at);
}

/* ---- ymm registers, of which a frame has the halves in two places ---- */

enum { STATES = 512, SSE_AND_AVX = 6 }; /* bytes before the set of states that a frame has; two of its bits */

static void read_ymm(const uint8_t *frame, int number, uint8_t out[32]) {
    memcpy(out, ((const struct _libc_fpstate *)(const void *)frame)->_xmm + number, 16);
    if (frame[STATES] & 4)
        memcpy(out + 16, frame + ymm_halves + 16 * number, 16);
    else
        memset(out + 16, 0, 16);
}

static void write_ymm(uint8_t *frame, int number, const uint8_t value[32]) {
    if (!(frame[STATES] & 4)) memset(frame + ymm_halves, 0, 256);
    frame[STATES] |= SSE_AND_AVX;
    memcpy(((struct _libc_fpstate *)(void *)frame)->_xmm + number, value, 16);
    memcpy(frame + ymm_halves + 16 * number, value + 16, 16);
}

static void dot_bytes(const instruction *i, uint8_t *frame) {
    uint8_t sums[32], rows[32], codes[32];
    read_ymm(frame, i->reg, sums);
    read_ymm(frame, i->vvvv, rows);
    if (i->rm >= 0)
        read_ymm(frame, i->rm, codes);
    else
        memcpy(codes, (const uint8_t *)(uintptr_t)(i->base + i->index), 32);
    for (int lane = 0; lane < 8; lane++) {
        uint32_t sum;
        memcpy(&sum, sums + 4 * lane, 4);
        for (int k = 4 * lane; k < 4 * lane + 4; k++) sum += (uint32_t)(rows[k] * (int8_t)codes[k]);
        memcpy(sums + 4 * lane, &sum, 4);
    }
    write_ymm(frame, i->reg, sums);
}

static void on_illegal(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)(uintptr_t)registers[REG_RIP];
    const instruction i = decode(at, registers);
    (void)signal, (void)info;
    if (i.opcode == DOT_BYTES && i.prefix == P66 && i.length_256)
        dot_bytes(&i, (uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs);
    else
        on_tiles(&i, at);
    registers[REG_RIP] = (greg_t)(uintptr_t)i.end;
    done++;
}

static void report(void) {
    printf("emulated: %ld instructions%s\n", done, configured ? "; tiles are left configured" : "");
    fflush(stdout);
    if (configured) _exit(3);
}

__attribute__((constructor)) static void begin(void) {
    uint32_t size, states, none;
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    __cpuid_count(0xd, 2, size, ymm_halves, states, none);
    sigaction(SIGILL, &action, NULL);
    atexit(report);
}
