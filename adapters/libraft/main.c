/* An adapter around libraft (canonical's raft, dqlite's): it answers the questions of `adapters/README.md`. What an
 * assertion of the library or a broken pointer ends is one replica; the others live. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replica.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

enum { MOST = 4096 };

static struct { uint64_t handle; struct replica *replica; } replicas[MOST];
static sigjmp_buf broken;
static const char *broken_by;

static void on_signal(int signal)
{
    broken_by = strsignal(signal);
    siglongjmp(broken, 1);
}

static unsigned place_of(uint64_t handle)
{
    for (unsigned i = 0; i < MOST; i++) {
        if (replicas[i].replica && replicas[i].handle == handle) return i;
    }
    return MOST;
}

static json_t *hello(void)
{
    return json_pack("{si ss ss ss s[ssssss] s[] s[ss]}", "protocol", 1, "level", "node", "name", "libraft", "version", VERSION,
                     "has", "learners", "transfer", "snapshots", "compact", "probe", "apply_when_told", "dialect", "by_design",
                     "changes_when_appended", "voters_keep_their_leader");
}

static json_t *answer_open(json_t *open)
{
    unsigned free_place = 0;
    while (free_place < MOST && replicas[free_place].replica) free_place++;
    if (free_place == MOST) return json_pack("{ss}", "refused", "there are too many replicas");
    struct replica *n = calloc(1, sizeof *n);
    const char *why = replica_open(n, open);
    if (why) return json_pack("{ss}", "refused", why);
    replicas[free_place].handle = number(open, "node");
    replicas[free_place].replica = n;
    return json_pack("{so}", "ok", replica_done(n));
}

static json_t *answer(const char *verb, json_t *of)
{
    if (!strcmp(verb, "hello")) return json_pack("{so}", "ok", hello());
    if (!strcmp(verb, "open")) return answer_open(of);
    unsigned place = place_of(number(of, "node"));
    if (place == MOST) return json_pack("{ss}", "failed", "there is no such replica");
    struct replica *n = replicas[place].replica;
    if (!strcmp(verb, "close")) {
        replicas[place].replica = NULL;
        replica_close(n);
        free(n);
        return json_pack("{s{}}", "ok");
    }
    const char *why = replica_take(n, verb, of);
    if (why) return json_pack("{ss}", "refused", why);
    if (n->raft.state == RAFT_UNAVAILABLE) {
        replicas[place].replica = NULL;
        return json_pack("{ss}", "failed", "libraft has made itself unavailable");
    }
    return json_pack("{so}", "ok", replica_done(n));
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        conf_in_log |= !strcmp(arguments[i], "--conf-in-log");
        no_barrier |= !strcmp(arguments[i], "--no-barrier");
    }
    char *line = NULL;
    size_t size = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGABRT, &action, NULL);
    while (getline(&line, &size, stdin) > 0) {
        json_error_t error;
        json_t *volatile question = json_loads(line, 0, &error);
        json_t *volatile said = NULL;
        const char *volatile verb = NULL, *key;
        json_t *volatile of = NULL, *value;
        if (!question) {
            fprintf(stderr, "libraft-adapter: %s\n", error.text);
            return 2;
        }
        json_object_foreach(question, key, value) {
            if (strcmp(key, "seq")) verb = key, of = value;
        }
        if (sigsetjmp(broken, 1) == 0) {
            said = verb ? answer(verb, of) : json_pack("{ss}", "failed", "a question without a verb");
        } else {
            unsigned place = place_of(number(json_object_iter_value(json_object_iter_at(question, verb)), "node"));
            if (place < MOST) replicas[place].replica = NULL;
            said = json_pack("{ss}", "failed", broken_by);
        }
        json_object_set(said, "seq", json_object_get(question, "seq"));
        json_dumpf(said, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(said);
        json_decref(question);
    }
    return 0;
}
