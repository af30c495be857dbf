/* A replica: libraft on a disk in memory that is written at once, and the verbs that drive it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replica.h"

/* A tick is one heartbeat; an election takes two. */
enum { TICK = 1000 };

static struct replica *of_io(struct raft_io *io) { return io->impl; }

static raft_index last_of(struct replica *n) { return n->truncated[0] + json_array_size(n->entries); }

static int io_init(struct raft_io *io, raft_id id, const char *address) { return (void)io, (void)id, (void)address, 0; }

static void io_close(struct raft_io *io, raft_io_close_cb cb) { cb(io); }

bool conf_in_log, no_barrier;

/* The entries on disk, and before them one of the members, as if the last change had been that. */
static struct raft_entry *behind_conf(struct replica *n, struct raft_entry *entries, unsigned *count,
                                      const struct raft_configuration *c)
{
    struct raft_entry *all = raft_calloc(*count + 1, sizeof *all);
    raft_configuration_encode(c, &all[0].buf);
    all[0].term = n->truncated[1];
    all[0].type = RAFT_CHANGE;
    all[0].batch = all[0].buf.base;
    for (unsigned i = 0; i < *count; i++) all[i + 1] = entries[i];
    raft_free(entries);
    ++*count;
    return all;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *vote, struct raft_snapshot **snapshot, raft_index *start,
                   struct raft_entry *entries[], size_t *count)
{
    struct replica *n = of_io(io);
    unsigned loaded;
    *term = n->term;
    *vote = n->vote;
    *start = n->truncated[0] + 1;
    *entries = entries_of(n->entries, &loaded);
    *count = loaded;
    *snapshot = NULL;
    if (n->truncated[0] == 0) return 0;
    struct raft_snapshot *s = *snapshot = raft_calloc(1, sizeof *s);
    s->index = s->configuration_index = n->truncated[0];
    s->term = n->truncated[1];
    s->n_bufs = 1;
    s->bufs = raft_calloc(1, sizeof *s->bufs);
    s->bufs[0] = (struct raft_buffer){raft_calloc(1, 8), 8};
    if (conf_of(n->conf, &s->configuration)) return RAFT_INVALID;
    if (conf_in_log && n->truncated[0] > 1) {
        *entries = behind_conf(n, *entries, &loaded, &s->configuration);
        *count = loaded;
        s->index = s->configuration_index = --*start - 1;
    }
    return 0;
}

static int io_start(struct raft_io *io, unsigned interval, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    of_io(io)->tick = tick;
    of_io(io)->recv = recv;
    return (void)interval, 0;
}

static int io_conf(struct raft_io *io, const struct raft_configuration *c) { return (void)io, (void)c, RAFT_INVALID; }

static int io_set_term(struct raft_io *io, raft_term term)
{
    of_io(io)->term = term;
    of_io(io)->vote = 0;
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id) { return of_io(io)->vote = id, 0; }

static void wait_for(struct replica *n, struct due due)
{
    if (n->due_to - n->due_from == 256) abort();
    n->due[n->due_to++ % 256] = due;
}

static int io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m, raft_io_send_cb cb)
{
    struct replica *n = of_io(io);
    json_array_append_new(n->sent, message_json(n, m));
    wait_for(n, (struct due){.sent = cb, .request = req});
    return 0;
}

/* What is known of a change that arrives, or is proposed here. */
static json_t *known_of(struct replica *n, raft_index index)
{
    size_t i;
    json_t *entry;
    json_array_foreach(n->arriving, i, entry) {
        if (number(entry, "index") == index) return entry;
    }
    return n->proposed;
}

static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned count,
                     raft_io_append_cb cb)
{
    struct replica *n = of_io(io);
    for (unsigned i = 0; i < count; i++) {
        raft_index index = last_of(n) + 1;
        json_t *entry = entry_json(index, &entries[i], known_of(n, index));
        json_array_append(n->entries, entry);
        json_array_append_new(n->appended, entry);
    }
    wait_for(n, (struct due){.appended = cb, .request = req});
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct replica *n = of_io(io);
    while (last_of(n) >= index && json_array_size(n->entries)) {
        json_array_remove(n->entries, json_array_size(n->entries) - 1);
    }
    return 0;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *s, raft_io_snapshot_put_cb cb)
{
    struct replica *n = of_io(io);
    n->put = req;
    n->put_cb = cb;
    n->put_as = json_pack("{sI sI so}", "index", (json_int_t)s->index, "term", (json_int_t)s->term, "conf",
                          conf_json(&s->configuration));
    return (void)trailing, 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
    wait_for(of_io(io), (struct due){.got = cb, .request = req});
    return 0;
}

static raft_time io_time(struct raft_io *io) { return of_io(io)->now; }

static int io_random(struct raft_io *io, int least, int most) { return (void)io, (void)most, least; }

static int io_async_work(struct raft_io *io, struct raft_io_async_work *req, raft_io_async_work_cb cb)
{
    return (void)io, (void)req, (void)cb, RAFT_INVALID;
}

/* Rollcall is the state machine: what is committed takes effect when it says so. */
static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    *result = NULL;
    return (void)fsm, (void)buf, 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *count)
{
    return (void)fsm, (void)bufs, (void)count, RAFT_BUSY;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    raft_free(buf->base);
    return (void)fsm, 0;
}

/* A snapshot is of what took effect. */
static struct raft_snapshot *snapshot_now(struct replica *n)
{
    struct raft_snapshot *s = raft_calloc(1, sizeof *s);
    s->index = s->configuration_index = n->applied[0];
    s->term = n->applied[1];
    s->n_bufs = 1;
    s->bufs = raft_calloc(1, sizeof *s->bufs);
    s->bufs[0] = (struct raft_buffer){raft_calloc(1, 8), 8};
    conf_of(n->conf, &s->configuration);
    return s;
}

static void barrier_done(struct raft_barrier *req, int status) { free(req), (void)status; }

/* Everything that the library waits for comes about. A leader begins its term with a barrier, as its users have it
 * do before they read. */
static void drain(struct replica *n)
{
    struct raft *r = &n->raft;
    do {
        while (n->due_from != n->due_to) {
            struct due due = n->due[n->due_from++ % 256];
            if (due.appended) due.appended(due.request, 0);
            if (due.sent) due.sent(due.request, 0);
            if (due.got) due.got(due.request, snapshot_now(n), 0);
        }
        if (no_barrier || r->state != RAFT_LEADER || n->led == r->current_term) continue;
        struct raft_barrier *req = calloc(1, sizeof *req);
        if (raft_barrier(r, req, barrier_done) == 0) {
            n->led = r->current_term;
        } else {
            free(req);
        }
    } while (n->due_from != n->due_to);
}

static void begin(struct replica *n)
{
    n->appended = json_array();
    n->sent = json_array();
    n->arriving = n->proposed = NULL;
    n->one = n->beating = n->to_a_beat = false;
}

const char *replica_open(struct replica *n, json_t *open)
{
    char address[24];
    json_t *truncated = json_object_get(open, "truncated");
    n->io = (struct raft_io){
        .version = 2, .impl = n, .init = io_init, .close = io_close, .load = io_load, .start = io_start,
        .bootstrap = io_conf, .recover = io_conf, .set_term = io_set_term, .set_vote = io_set_vote, .send = io_send,
        .append = io_append, .truncate = io_truncate, .snapshot_put = io_snapshot_put,
        .snapshot_get = io_snapshot_get, .time = io_time, .random = io_random, .async_work = io_async_work,
    };
    n->fsm = (struct raft_fsm){.version = 1, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
    n->term = number(open, "term");
    n->vote = number(open, "vote");
    for (unsigned i = 0; i < 2; i++) n->truncated[i] = json_integer_value(json_array_get(truncated, i));
    n->entries = json_deep_copy(json_object_get(open, "entries"));
    n->conf = json_deep_copy(json_object_get(open, "conf"));
    n->applied[0] = number(open, "applied");
    begin(n);
    snprintf(address, sizeof address, "%llu", (unsigned long long)number(open, "id"));
    if (raft_init(&n->raft, &n->io, &n->fsm, number(open, "id"), address)) return "libraft does not begin";
    raft_set_election_timeout(&n->raft, 2 * TICK);
    raft_set_heartbeat_timeout(&n->raft, TICK);
    raft_set_snapshot_threshold(&n->raft, 1u << 30);
    /* Disks know what was committed, which libraft finds out anew. */
    if (raft_start(&n->raft)) return "libraft does not start on that";
    raft_index commit = number(open, "commit");
    if (commit > n->raft.commit_index) n->raft.commit_index = n->raft.last_applied = commit;
    n->applied[1] = logTermOf(&n->raft.log, n->applied[0]);
    /* No time passes between rounds, and each may be the next heartbeat. */
    n->raft.heartbeat_timeout = 0;
    drain(n);
    return NULL;
}

void replica_close(struct replica *n)
{
    raft_close(&n->raft, NULL);
    json_decref(n->entries);
    json_decref(n->conf);
    json_decref(n->put_as);
}

static void change_done(struct raft_change *req, int status) { free(req), (void)status; }

/* A member that is new comes as a spare, and takes its role by the one entry that Rollcall has for both. */
static const char *add_spare(struct raft *r, raft_id id)
{
    struct raft_configuration with;
    char address[24];
    snprintf(address, sizeof address, "%llu", (unsigned long long)id);
    if (configurationCopy(&r->configuration, &with) || raft_configuration_add(&with, id, address, RAFT_SPARE)) {
        return "libraft does not take the member";
    }
    if (progressRebuildArray(r, &with)) return "libraft has no memory";
    raft_configuration_close(&r->configuration);
    r->configuration = with;
    return NULL;
}

static const char *propose_change(struct replica *n, json_t *of)
{
    struct raft *r = &n->raft;
    json_t *changes = json_object_get(json_object_get(of, "change"), "changes"), *one = json_array_get(changes, 0);
    const char *kind = json_string_value(json_object_get(one, "kind"));
    raft_id id = number(one, "peer");
    if (json_array_size(changes) != 1 || !kind) return "libraft changes one member at a time";
    if (membershipCanChangeConfiguration(r)) return "libraft has a change under way";
    unsigned i = configurationIndexOf(&r->configuration, id);
    bool member = i < r->configuration.n;
    bool is_voter = member && r->configuration.servers[i].role == RAFT_VOTER;
    struct raft_change *req = calloc(1, sizeof *req);
    const char *why = NULL;
    int error = 0;
    n->proposed = of;
    if (!strcmp(kind, "remove")) {
        error = raft_remove(r, req, id, change_done);
    } else if (!strcmp(kind, "add_learner")) {
        why = member ? NULL : add_spare(r, id);
        if (!why) error = raft_assign(r, req, id, RAFT_STANDBY, change_done);
    } else if (!member || is_voter) {
        why = "libraft makes a voter of a stand-by alone";
    } else if (progressMatchIndex(r, i) != logLastIndex(&r->log)) {
        why = "libraft lets a stand-by catch up before it proposes to make it a voter";
    } else {
        error = raft_assign(r, req, id, RAFT_VOTER, change_done);
    }
    if (!why && !error) return NULL;
    free(req);
    return why ? why : raft_strerror(error);
}

static void apply_change(struct replica *n, json_t *of)
{
    json_t *voters = json_object_get(n->conf, "voters"), *learners = json_object_get(n->conf, "learners"), *one;
    size_t at;
    json_array_foreach(json_object_get(json_object_get(of, "change"), "changes"), at, one) {
        const char *kind = json_string_value(json_object_get(one, "kind"));
        json_t *lists[] = {voters, learners};
        for (unsigned list = 0; list < 2; list++) {
            for (size_t i = json_array_size(lists[list]); i-- > 0;) {
                json_t *known = json_array_get(lists[list], i);
                if ((uint64_t)json_integer_value(known) == number(one, "peer")) json_array_remove(lists[list], i);
            }
        }
        if (!strcmp(kind, "add_voter")) json_array_append(voters, json_object_get(one, "peer"));
        if (!strcmp(kind, "add_learner")) json_array_append(learners, json_object_get(one, "peer"));
    }
}

/* A follower is probed from `next` on; libraft keeps no progress of who is no member. */
static void probe(struct replica *n, raft_id to, raft_index next)
{
    struct raft *r = &n->raft;
    unsigned i = configurationIndexOf(&r->configuration, to);
    if (r->state != RAFT_LEADER || i == r->configuration.n || to == r->id) return;
    if (progressState(r, i) == PROGRESS_SNAPSHOT) progressAbortSnapshot(r, i);
    progressToProbe(r, i);
    progressMarkRecentRecv(r, i);
    progressOptimisticNextIndex(r, i, next);
    replicationProgress(r, i);
}

static void tick(struct replica *n)
{
    struct raft *r = &n->raft;
    n->now += TICK;
    for (unsigned i = 0; r->state == RAFT_LEADER && i < r->configuration.n; i++) progressMarkRecentRecv(r, i);
    n->tick(&n->io);
}

static void command_done(struct raft_apply *req, int status, void *result) { free(req), (void)status, (void)result; }

static const char *propose(struct replica *n, json_t *of)
{
    size_t length;
    void *bytes = bytes_of(json_object_get(of, "data"), &length);
    struct raft_buffer buf = {raft_malloc(length), length};
    memcpy(buf.base, bytes, length);
    free(bytes);
    struct raft_apply *req = calloc(1, sizeof *req);
    int error = raft_apply(&n->raft, req, &buf, 1, command_done);
    return error ? raft_strerror(error) : NULL;
}

static void transfer_done(struct raft_transfer *req) { free(req); }

static void compact(struct replica *n, raft_index index)
{
    raft_term term = logTermOf(&n->raft.log, index);
    logSnapshot(&n->raft.log, index, 0);
    while (n->truncated[0] < index) {
        json_array_remove(n->entries, 0);
        n->truncated[0]++;
    }
    n->truncated[1] = term;
}

static const char *take_snapshot(struct replica *n)
{
    struct raft_io_snapshot_put *req = n->put;
    if (!req) return "no snapshot waits";
    n->put = NULL;
    json_array_clear(n->entries);
    n->truncated[0] = n->applied[0] = number(n->put_as, "index");
    n->truncated[1] = n->applied[1] = number(n->put_as, "term");
    json_decref(n->conf);
    n->conf = json_deep_copy(json_object_get(n->put_as, "conf"));
    json_decref(n->put_as);
    n->put_as = NULL;
    n->put_cb(req, 0);
    return NULL;
}

const char *replica_take(struct replica *n, const char *verb, json_t *of)
{
    struct raft *r = &n->raft;
    struct raft_message message;
    const char *why = NULL;
    begin(n);
    if (!strcmp(verb, "step")) {
        why = message_of(n, json_object_get(of, "message"), &message);
        if (!why) n->recv(&n->io, &message);
    } else if (!strcmp(verb, "campaign")) {
        unsigned i = configurationIndexOfVoter(&r->configuration, r->id);
        if (i == r->configuration.n || r->state == RAFT_LEADER) return "no voter that follows";
        if (r->state == RAFT_CANDIDATE) convertToFollower(r);
        convertToCandidate(r, false);
    } else if (!strcmp(verb, "tick")) {
        tick(n);
    } else if (!strcmp(verb, "propose")) {
        why = propose(n, of);
    } else if (!strcmp(verb, "propose_change")) {
        why = propose_change(n, of);
    } else if (!strcmp(verb, "apply_change")) {
        apply_change(n, of);
    } else if (!strcmp(verb, "applied")) {
        n->applied[0] = number(of, "index");
        n->applied[1] = logTermOf(&r->log, n->applied[0]);
    } else if (!strcmp(verb, "take_snapshot")) {
        why = take_snapshot(n);
    } else if (!strcmp(verb, "compact")) {
        compact(n, number(of, "index"));
    } else if (!strcmp(verb, "probe")) {
        n->one = json_is_true(json_object_get(of, "one"));
        probe(n, number(of, "to"), number(of, "next"));
    } else if (!strcmp(verb, "beat")) {
        n->beating = true;
        probe(n, number(of, "to"), logLastIndex(&r->log) + 1);
    } else if (!strcmp(verb, "transfer")) {
        struct raft_transfer *req = calloc(1, sizeof *req);
        if (raft_transfer(r, req, number(of, "to"), transfer_done)) free(req);
    } else if (!strcmp(verb, "follow")) {
        if (number(of, "term") > r->current_term) recvBumpCurrentTerm(r, number(of, "term"));
        if (r->state != RAFT_FOLLOWER) convertToFollower(r);
    } else {
        return "a question of no known verb";
    }
    if (why) return why;
    drain(n);
    return NULL;
}

static json_t *votes(struct raft *r)
{
    json_t *votes = json_object();
    unsigned place = 0;
    for (unsigned i = 0; i < r->configuration.n; i++) {
        char id[24];
        if (r->configuration.servers[i].role != RAFT_VOTER) continue;
        snprintf(id, sizeof id, "%llu", r->configuration.servers[i].id);
        if (r->candidate_state.votes[place++]) json_object_set_new(votes, id, json_true());
    }
    return votes;
}

static json_t *matched(struct raft *r)
{
    json_t *matched = json_object();
    for (unsigned i = 0; i < r->configuration.n; i++) {
        char id[24];
        snprintf(id, sizeof id, "%llu", r->configuration.servers[i].id);
        json_object_set_new(matched, id, json_integer((json_int_t)progressMatchIndex(r, i)));
    }
    return matched;
}

static json_t *status(struct replica *n)
{
    static const char *ROLES[] = {"follower", "follower", "candidate", "leader"};
    struct raft *r = &n->raft;
    raft_id leader = r->state == RAFT_LEADER ? r->id : r->state == RAFT_FOLLOWER ? r->follower_state.current_leader.id : 0;
    raft_index last = logLastIndex(&r->log), commit = r->commit_index;
    json_t *status = json_pack(
        "{sI sI sI ss sI s[II] s[II] s[II] sb}", "id", (json_int_t)r->id, "term", (json_int_t)r->current_term, "vote",
        (json_int_t)r->voted_for, "role", ROLES[r->state], "leader", (json_int_t)leader, "commit", (json_int_t)commit,
        (json_int_t)logTermOf(&r->log, commit), "applied", (json_int_t)n->applied[0], (json_int_t)n->applied[1], "last",
        (json_int_t)last, (json_int_t)logTermOf(&r->log, last), "promotable",
        configurationIndexOfVoter(&r->configuration, r->id) < r->configuration.n);
    if (r->state == RAFT_CANDIDATE) json_object_set_new(status, "votes", votes(r));
    if (r->state == RAFT_LEADER) {
        raft_index pending = r->configuration_uncommitted_index;
        json_object_set_new(status, "matched", matched(r));
        json_object_set_new(status, "pending_change", json_integer((json_int_t)(pending ? pending : r->configuration_index)));
        json_object_set_new(status, "transferee", json_integer((json_int_t)(r->transfer ? r->transfer->id : 0)));
    }
    return status;
}

json_t *replica_done(struct replica *n)
{
    json_t *done = json_pack("{so so so}", "status", status(n), "appended", n->appended, "sent", n->sent);
    n->appended = n->sent = NULL;
    if (n->put) {
        json_object_set(done, "snapshot", n->put_as);
    }
    return done;
}
