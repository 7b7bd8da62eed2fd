// Locks itself into strict seccomp, where every system call but `read`, `write` and `exit` kills, and
// goes on calling: whatever a probe does inside the target must not look like a system call of it.
// Truth: `outer` 2,000 times, `inner` twice for each; written without the C library's help.

#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "workload.h"

TRUTH(outer);
TRUTH(inner);

PROBED int inner(int x) {
    CALLED(inner);
    return x * 3 + 1;
}

PROBED int outer(int x) {
    CALLED(outer);
    return inner(x) + inner(x + 1);
}

int main(void) {
    char text[256];
    volatile long sum = 0;
    wait_for_go();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return 1;
    for (int call = 0; call < 2000; call++)
        sum += outer(call);
    int length = snprintf(text, sizeof text,
                          "{\"function\":\"outer\",\"calls\":%lu}\n{\"function\":\"inner\",\"calls\":%lu}\n",
                          calls_of_outer, calls_of_inner);
    long written = write(STDOUT_FILENO, text, (size_t)length);
    syscall(SYS_exit, written == length ? 0 : 1);
}
