// Stackful coroutines (`swapcontext`): one thread changes between stacks, above and below one another
// in memory, in the middle of probed calls.
// Truth: every function counts its own calls; all calls return.

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "workload.h"

enum { COROUTINES = 4, SWITCHES = 200, STACK_BYTES = 64 * 1024 };

TRUTH(step);
TRUTH(yield);
TRUTH(leaf);

static ucontext_t main_context, contexts[COROUTINES];
static int current;
static volatile long sink;

PROBED int leaf(int x) {
    CALLED(leaf);
    return x + 1;
}

// Open while all the other coroutines run.
PROBED void yield(void) {
    CALLED(yield);
    swapcontext(&contexts[current], &main_context);
}

PROBED int step(int x) {
    CALLED(step);
    yield();
    return leaf(x);
}

static void coroutine(void) {
    for (int i = 0; i < SWITCHES; i++)
        sink += step(i);
}

int main(void) {
    char *stacks = mmap(NULL, COROUTINES * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < COROUTINES; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = stacks + i * STACK_BYTES;
        contexts[i].uc_stack.ss_size = STACK_BYTES;
        contexts[i].uc_link = &main_context;
        makecontext(&contexts[i], coroutine, 0);
    }
    wait_for_go();
    for (int turn = 0; turn <= SWITCHES; turn++) {
        for (current = 0; current < COROUTINES; current++)
            swapcontext(&main_context, &contexts[current]);
    }
    fact("sink", sink);
    TELL(step);
    TELL(yield);
    TELL(leaf);
    return 0;
}
