// Prints the names of its callers as `backtrace` finds them, from three depths. Build with -rdynamic.
// Truth: what it prints when nobody traces it.

#include <execinfo.h>
#include <stdlib.h>

#include "workload.h"

PROBED void show(void) {
    void *frames[64];
    int count = backtrace(frames, 64);
    char **names = backtrace_symbols(frames, count);
    for (int i = 0; i < count; i++) {
        // "path(name+0xoffset) [0xaddress]": the address changes from run to run.
        char *end = strchr(names[i], ')');
        char *begin = strchr(names[i], '(');
        if (begin != NULL && end != NULL)
            printf("frame %d %.*s\n", i, (int)(end - begin - 1), begin + 1);
        else
            printf("frame %d unknown\n", i);
    }
    free(names);
}

PROBED int inner(int levels) {
    if (levels == 0)
        show();
    else
        inner(levels - 1);
    NOT_A_TAIL_CALL;
    return levels;
}

PROBED int outer(int levels) {
    int below = inner(levels);
    NOT_A_TAIL_CALL;
    return below + 1;
}

int main(void) {
    wait_for_go();
    show();
    outer(0);
    outer(3);
    return 0;
}
