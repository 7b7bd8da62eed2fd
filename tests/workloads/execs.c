// Replaces itself by another program: argv[1] `self` by itself (twice), else by the program named.
// Truth: with `self`, the calls of all three lives; else those of the only one, printed before it ends.

#include <stdlib.h>

#include "workload.h"

TRUTH(leaf);
TRUTH(becomes);

PROBED int leaf(int x) {
    CALLED(leaf);
    return x + 1;
}

// Never returns: the call is open when the program is replaced.
PROBED void becomes(char **arguments) {
    CALLED(becomes);
    fflush(stdout);
    execv(arguments[0], arguments);
    _exit(111);
}

// argv: program, mode, calls of `leaf` so far, of `becomes` so far, lives so far.
int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "self";
    int lives = argc > 4 ? atoi(argv[4]) : 0;
    if (argc > 3) {
        calls_of_leaf = strtoul(argv[2], NULL, 10);
        calls_of_becomes = strtoul(argv[3], NULL, 10);
    }
    if (lives == 0)
        wait_for_go();
    volatile int sum = 0;
    for (int call = 0; call < 1000 * (lives + 1); call++)
        sum += leaf(call);
    if (strcmp(mode, "self") != 0) {
        char *arguments[] = {(char *)mode, NULL};
        tell("leaf", calls_of_leaf);
        tell("becomes", calls_of_becomes + 1);
        becomes(arguments);
    }
    if (lives < 2) {
        char leaf_text[24], becomes_text[24], lives_text[24];
        snprintf(leaf_text, sizeof leaf_text, "%lu", calls_of_leaf);
        snprintf(becomes_text, sizeof becomes_text, "%lu", calls_of_becomes + 1);
        snprintf(lives_text, sizeof lives_text, "%d", lives + 1);
        char *arguments[] = {argv[0], (char *)mode, leaf_text, becomes_text, lives_text, NULL};
        becomes(arguments);
    }
    TELL(leaf);
    TELL(becomes);
    return 0;
}
