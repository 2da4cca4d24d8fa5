/* The pool's threads on Windows, which has no forks. */
#if defined(_WIN32)
#include "os.h"

#include <process.h>

enum { STACK_BYTES = 2 << 20 };

void ec_os_place_init(ec_os_place *place) {
    InitializeSRWLock(&place->lock);
    InitializeConditionVariable(&place->changed);
}

void ec_os_sleep(ec_os_place *place, ec_atomic_u32 *word, uint32_t wanted) {
    AcquireSRWLockExclusive(&place->lock);
    while (ec_atomic_load(word) != wanted) SleepConditionVariableSRW(&place->changed, &place->lock, INFINITE, 0);
    ReleaseSRWLockExclusive(&place->lock);
}

void ec_os_wake(ec_os_place *place) {
    AcquireSRWLockExclusive(&place->lock); /* not between the sleeper's look at the word and its sleep */
    ReleaseSRWLockExclusive(&place->lock);
    WakeConditionVariable(&place->changed);
}

static unsigned __stdcall begin(void *helper) {
    ec_pool_serve(helper);
    return 0;
}

int ec_os_start(void *helper) {
    const uintptr_t thread = _beginthreadex(NULL, STACK_BYTES, begin, helper, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == 0) return 0;
    CloseHandle((HANDLE)thread);
    return 1;
}

static SRWLOCK lock = SRWLOCK_INIT;

void ec_os_watch(void) {}
void ec_os_lock(void) { AcquireSRWLockExclusive(&lock); }
void ec_os_unlock(void) { ReleaseSRWLockExclusive(&lock); }

void ec_os_yield(void) { SwitchToThread(); }

int64_t ec_os_nanoseconds(void) {
    LARGE_INTEGER now, rate;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&rate);
    return (int64_t)((double)now.QuadPart * (1e9 / (double)rate.QuadPart));
}

int ec_os_cores(void) {
    DWORD_PTR mine, all;
    int cores = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all)) return 1;
    if (mine == 0) return (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); /* more than a mask has bits for */
    for (; mine != 0; mine &= mine - 1) cores++;
    return cores;
}

int ec_os_core(void) { return (int)GetCurrentProcessorNumber(); }
#else
typedef int ec_no_win32; /* a C file has at least one declaration */
#endif
