// Threads that end inside probed frames: by `pthread_exit`, and by `pthread_cancel` while they wait.
// Both unwind the stack and run clean-up handlers, which call a probed function.
// Truth: every function counts its own calls.

#include <pthread.h>
#include <semaphore.h>

#include "workload.h"

enum { ROUNDS = 50, LEVELS = 5 };

TRUTH(leave);
TRUTH(linger);
TRUTH(clean_up);

static sem_t lingering;

PROBED void clean_up(void *unused) {
    (void)unused;
    CALLED(clean_up);
}

PROBED int leave(int levels) {
    CALLED(leave);
    if (levels == 0)
        pthread_exit((void *)1);
    int below;
    pthread_cleanup_push(clean_up, NULL);
    below = leave(levels - 1);
    pthread_cleanup_pop(0);
    return below + 1;
}

PROBED int linger(int levels) {
    CALLED(linger);
    if (levels == 0) {
        sem_post(&lingering);
        for (;;)
            pause();
    }
    int below;
    pthread_cleanup_push(clean_up, NULL);
    below = linger(levels - 1);
    pthread_cleanup_pop(0);
    return below + 1;
}

static void *leaving(void *unused) {
    (void)unused;
    leave(LEVELS);
    return NULL;
}

static void *waiting(void *unused) {
    (void)unused;
    linger(LEVELS);
    return NULL;
}

int main(void) {
    pthread_t thread;
    long exited = 0, cancelled = 0;
    void *result;
    sem_init(&lingering, 0, 0);
    wait_for_go();
    for (int round = 0; round < ROUNDS; round++) {
        pthread_create(&thread, NULL, leaving, NULL);
        pthread_join(thread, &result);
        exited += result == (void *)1;
        pthread_create(&thread, NULL, waiting, NULL);
        sem_wait(&lingering);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        cancelled += result == PTHREAD_CANCELED;
    }
    fact("exited", exited);
    fact("cancelled", cancelled);
    TELL(leave);
    TELL(linger);
    TELL(clean_up);
    return 0;
}
