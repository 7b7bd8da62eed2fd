// What the C and C++ workloads share: how they meet their tracer and how they tell the truth.
//
// Protocol: the workload prints `ready`, waits for one byte (or the end) of its standard input,
// works, and prints one JSON object a line: {"function":NAME,"calls":N} for every function whose
// calls it counted itself, {"fact":NAME,"value":N} for anything else a test compares.

#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// A function that keeps its own entry, its own calls and the usual calling convention.
#if defined(__clang__)
#define PROBED __attribute__((noinline))
#else
#define PROBED __attribute__((noipa))
#endif

// Declares the counter of a function; counts one call, in any thread and in signal handlers; prints the
// count. The counter's address goes through a register: an instruction with a lock prefix, which the
// kernel refuses to probe, must not be the function's first.
#define TRUTH(name) static unsigned long calls_of_##name
#define CALLED(name)                                         \
    do {                                                     \
        unsigned long *counter = &calls_of_##name;           \
        __asm__ volatile("" : "+r"(counter));                \
        __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);    \
    } while (0)
#define TELL(name) tell(#name, calls_of_##name)
// The same with the readable name of a C++ function, which has a namespace or parameters.
#define TELL_AS(name, readable) tell(readable, calls_of_##name)

// Keeps the compiler from making a tail call of what stands before it.
#define NOT_A_TAIL_CALL __asm__ volatile("" ::: "memory")

static inline void tell(const char *function, unsigned long calls) {
    printf("{\"function\":\"%s\",\"calls\":%lu}\n", function, calls);
}

static inline void fact(const char *name, long value) {
    printf("{\"fact\":\"%s\",\"value\":%ld}\n", name, value);
}

static inline void wait_for_go(void) {
    char byte;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
}

static inline long nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

// Uses so much CPU time of the thread, with a system call every 100 us or so, not more: each is an event.
static inline void burn(long cpu_ns) {
    long end = nanoseconds(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;
    while (nanoseconds(CLOCK_THREAD_CPUTIME_ID) < end) {
        for (int turn = 0; turn < 50000; turn++)
            __asm__ volatile("");
    }
}

#endif
