/* What the pool asks of an operating system: posix.c and win32.c. */
#ifndef EC_POOL_OS_H
#define EC_POOL_OS_H

#include "atomic.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef struct {
    SRWLOCK lock;
    CONDITION_VARIABLE changed;
} ec_os_place;
#else
#include <pthread.h>
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
} ec_os_place;
#endif

/* A place where a thread sleeps until a word is `wanted`. Whoever changes the word wakes it afterwards. */
void ec_os_place_init(ec_os_place *place);
void ec_os_sleep(ec_os_place *place, ec_atomic_u32 *word, uint32_t wanted);
void ec_os_wake(ec_os_place *place);

/* Starts a thread that gets no signals and runs ec_pool_serve(helper), which never returns. Returns 0 where the system
 * gives none. */
int ec_os_start(void *helper);
void ec_pool_serve(void *helper);

/* One lock, for what is quick. A forked child finds it open, and has called ec_pool_forget() by then, once the parent
 * has called ec_os_watch(). */
void ec_os_watch(void);
void ec_pool_forget(void);
void ec_os_lock(void);
void ec_os_unlock(void);

void ec_os_yield(void); /* lets another thread run on this core */
int64_t ec_os_nanoseconds(void);
int ec_os_cores(void); /* on which threads of this process may run */
int ec_os_core(void);  /* on which the caller runs just now, or -1 where the system does not say at once */

#endif
