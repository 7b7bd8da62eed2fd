// What happens before, in and after `main`, for a program started under its tracer: a constructor, a
// destructor, an `atexit` handler. Copies its input to its output in capitals, and ends with status 37;
// with argv[1] `abort` by SIGABRT instead; with `wait` it waits for SIGTERM, and ends with status 9.
// Truth: each function once, `capital` once a byte of input.

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>

#include "workload.h"

TRUTH(main);
TRUTH(before_main);
TRUTH(after_main);
TRUTH(at_exit);
TRUTH(capital);

static volatile sig_atomic_t terminated;

__attribute__((constructor)) PROBED void before_main(void) {
    CALLED(before_main);
}

PROBED int capital(int byte) {
    CALLED(capital);
    return toupper(byte);
}

PROBED void at_exit(void) {
    CALLED(at_exit);
}

__attribute__((destructor)) PROBED void after_main(void) {
    CALLED(after_main);
    TELL(main);
    TELL(before_main);
    TELL(after_main);
    TELL(at_exit);
    TELL(capital);
}

static void on_term(int number) {
    (void)number;
    terminated = 1;
}

int main(int argc, char **argv) {
    CALLED(main);
    int byte;
    atexit(at_exit);
    if (argc > 1 && strcmp(argv[1], "abort") == 0)
        abort();
    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        sigset_t term, before;
        struct sigaction action = {.sa_handler = on_term};
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, &before);
        sigaction(SIGTERM, &action, NULL);
        puts("ready");
        fflush(stdout);
        while (!terminated)
            sigsuspend(&before);
        return 9;
    }
    while ((byte = getchar()) != EOF)
        putchar(capital(byte));
    return 37;
}
