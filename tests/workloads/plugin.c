// A shared library whose functions are called by plugin_host.
// Truth: told by the host, which calls `plugin_work` once a round; that calls `plugin_leaf` twice.

#include "workload.h"

PROBED int plugin_leaf(int x) {
    return x + 1;
}

PROBED int plugin_work(int x) {
    return plugin_leaf(x) + plugin_leaf(x + 1);
}
