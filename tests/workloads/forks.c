// Three children, each with two of its own; all of them call the same functions, also from inside a
// call that was open at the fork.
// Truth: `calls` of all processes; the facts `leaf_in_parent` and `outer_in_parent` are the parent's.

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "workload.h"

enum { CHILDREN = 3, GRANDCHILDREN = 2, CALLS = 400 };

struct counts {
    unsigned long leaf, outer, family;
};
static struct counts *all;  // shared by all processes
static struct counts own;   // of this one

#define COUNT(name)                                             \
    do {                                                        \
        own.name++;                                             \
        __atomic_fetch_add(&all->name, 1, __ATOMIC_RELAXED);    \
    } while (0)

PROBED int leaf(int x) {
    COUNT(leaf);
    return x + 1;
}

PROBED int outer(int x) {
    COUNT(outer);
    return leaf(x) + leaf(x + 1);
}

static void work(void) {
    volatile int sum = 0;
    for (int call = 0; call < CALLS; call++)
        sum += outer(call);
}

// Forks inside a probed call: parent and child both return from it.
PROBED int family(int generation) {
    COUNT(family);
    int children = generation == 0 ? CHILDREN : generation == 1 ? GRANDCHILDREN : 0;
    for (int child = 0; child < children; child++) {
        fflush(stdout);
        if (fork() == 0) {
            own = (struct counts){0};
            family(generation + 1);
            work();
            _exit(0);
        }
    }
    work();
    while (wait(NULL) > 0) {
    }
    return generation;
}

int main(void) {
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    wait_for_go();
    family(0);
    tell("leaf", all->leaf);
    tell("outer", all->outer);
    tell("family", all->family);
    fact("leaf_in_parent", (long)own.leaf);
    fact("outer_in_parent", (long)own.outer);
    fact("family_in_parent", (long)own.family);
    return 0;
}
