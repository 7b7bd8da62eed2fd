// Children that borrow their parent's memory until they run a program: `vfork` and `posix_spawn`,
// many rounds, each child running this very program, which calls `leaf` as `child`.
// Truth: `calls` of all processes; the fact `leaf_in_parent` is the parent's share.

#define _GNU_SOURCE
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "workload.h"

enum { ROUNDS = 10, CALLS_OF_CHILD = 100 };

TRUTH(leaf);
TRUTH(vforks);
TRUTH(spawns);

PROBED int leaf(int x) {
    CALLED(leaf);
    return x + 1;
}

// The child runs inside this call, on this very frame.
PROBED int vforks(char **arguments) {
    CALLED(vforks);
    pid_t child = vfork();
    if (child == 0) {
        execv(arguments[0], arguments);
        _exit(111);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return leaf(status);
}

PROBED int spawns(char **arguments) {
    CALLED(spawns);
    pid_t child;
    int status = 0;
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, NULL) != 0)
        return 1;
    waitpid(child, &status, 0);
    return leaf(status);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        volatile int sum = 0;
        for (int call = 0; call < CALLS_OF_CHILD; call++)
            sum += leaf(call);
        return 0;
    }
    char *arguments[] = {argv[0], "child", NULL};
    int failed = 0;
    wait_for_go();
    for (int round = 0; round < ROUNDS; round++)
        failed += vforks(arguments) + spawns(arguments) - 2;
    fact("failed", failed);
    fact("leaf_in_parent", (long)calls_of_leaf);
    tell("leaf", calls_of_leaf + 2 * ROUNDS * CALLS_OF_CHILD);
    TELL(vforks);
    TELL(spawns);
    return 0;
}
