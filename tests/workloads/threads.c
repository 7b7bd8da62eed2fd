// Eight threads that exist before the tracer comes, and eight that begin afterwards.
// Truth: 10,000 calls of `outer` a thread, two of `inner` for each, one of `thread_body` for each
// thread that began after the word to go.

#include <pthread.h>

#include "workload.h"

enum { THREADS = 8, CALLS = 10000 };

TRUTH(outer);
TRUTH(inner);
TRUTH(thread_body);

static pthread_barrier_t start;

PROBED int inner(int x) {
    CALLED(inner);
    return x * 3 + 1;
}

PROBED int outer(int x) {
    CALLED(outer);
    return inner(x) + inner(x + 1);
}

PROBED void *thread_body(void *unused) {
    (void)unused;
    CALLED(thread_body);
    long sum = 0;
    for (int call = 0; call < CALLS; call++)
        sum += outer(call);
    return (void *)sum;
}

static void *early_thread(void *unused) {
    pthread_barrier_wait(&start);
    return thread_body(unused);
}

int main(void) {
    pthread_t early[THREADS], late[THREADS];
    pthread_barrier_init(&start, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&early[i], NULL, early_thread, NULL);
    wait_for_go();
    pthread_barrier_wait(&start);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&late[i], NULL, thread_body, NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(early[i], NULL);
        pthread_join(late[i], NULL);
    }
    TELL(outer);
    TELL(inner);
    TELL(thread_body);
    return 0;
}
