// Signal handlers that call probed functions, sent by `raise` and by a timer at any instruction.
// argv[1]: `plain` handlers run on the thread's own stack; `low` on an alternate stack below it in
// memory; `high` on one above; `jump` they leave by `siglongjmp`, without the timer: that would
// interrupt calls before they have counted themselves.
// Truth: every function counts its own calls; every `work` returns unless the handler jumps.

#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "workload.h"

enum { TIMER_SIGNALS = 200, RAISED_SIGNALS = 500, REST_NS = 50000, STACK_BYTES = 128 * 1024 };

TRUTH(on_signal);
TRUTH(in_handler);
TRUTH(work);
TRUTH(leaf);

static volatile int jumps;
static sigjmp_buf back;
static volatile unsigned long sink;

PROBED int in_handler(int x) {
    CALLED(in_handler);
    return x * 5;
}

PROBED void on_signal(int number) {
    CALLED(on_signal);
    sink += in_handler(number) + in_handler(number + 1);
    if (jumps)
        siglongjmp(back, 1);
}

PROBED int leaf(int x) {
    CALLED(leaf);
    return x + 1;
}

PROBED int work(int levels) {
    CALLED(work);
    int below = levels == 0 ? leaf(levels) : work(levels - 1);
    NOT_A_TAIL_CALL;
    return below + leaf(levels);
}

// Keeps the CPU busy outside of probed functions, so that the calls come at a bounded rate.
static void rest(void) {
    long end = nanoseconds(CLOCK_MONOTONIC) + REST_NS;
    while (nanoseconds(CLOCK_MONOTONIC) < end) {
    }
}

static void raised_signals(void) {
    static volatile int round;
    for (round = 0; round < RAISED_SIGNALS; round++) {
        if (sigsetjmp(back, 1) == 0) {
            sink += work(3);
            raise(SIGUSR1);
        }
        sink += work(2);
    }
}

static void timer_signals(void) {
    static volatile unsigned long until;
    struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    until = __atomic_load_n(&calls_of_on_signal, __ATOMIC_RELAXED) + TIMER_SIGNALS;
    setitimer(ITIMER_REAL, &every, NULL);
    while (__atomic_load_n(&calls_of_on_signal, __ATOMIC_RELAXED) < until) {
        sink += work(6);
        rest();
    }
    setitimer(ITIMER_REAL, &never, NULL);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "plain";
    // An array of main's frame lies above every frame that main calls.
    char above[STACK_BYTES];
    stack_t stack = {.ss_size = STACK_BYTES};
    if (strcmp(mode, "high") == 0)
        stack.ss_sp = above;
    else
        stack.ss_sp = malloc(STACK_BYTES);
    jumps = strcmp(mode, "jump") == 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (strcmp(mode, "low") == 0 || strcmp(mode, "high") == 0) {
        sigaltstack(&stack, NULL);
        action.sa_flags |= SA_ONSTACK;
    }
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    wait_for_go();
    raised_signals();
    if (!jumps)
        timer_signals();
    TELL(on_signal);
    TELL(in_handler);
    TELL(work);
    TELL(leaf);
    return 0;
}
