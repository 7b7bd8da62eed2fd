// Loads the library argv[1] with `dlopen`: `early` before it is traced, `late` after (argv[2]).
// Truth: 5,000 calls of the library's `plugin_work`, two of its `plugin_leaf` for each.

#include <dlfcn.h>

#include "workload.h"

enum { CALLS = 5000 };

static int (*load(const char *path))(int) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        puts(dlerror());
        _exit(1);
    }
    return (int (*)(int))dlsym(library, "plugin_work");
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    int (*work)(int) = strcmp(argv[2], "early") == 0 ? load(argv[1]) : NULL;
    wait_for_go();
    if (work == NULL)
        work = load(argv[1]);
    long sum = 0;
    for (int call = 0; call < CALLS; call++)
        sum += work(call);
    fact("sum", sum);
    tell("plugin_work", CALLS);
    tell("plugin_leaf", 2 * CALLS);
    return 0;
}
