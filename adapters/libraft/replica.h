/* A replica of libraft on a disk in memory, and what the wire says of it. */
#ifndef REPLICA_H
#define REPLICA_H

#include <jansson.h>
#include <stdint.h>

#include "internals.h"

/* A callback that the library waits for: an append, a message, or a snapshot to send. */
struct due {
    raft_io_append_cb appended;
    raft_io_send_cb sent;
    raft_io_snapshot_get_cb got;
    void *request;
};

/* The entry before the log is a configuration, not a snapshot: see README.md. */
extern bool conf_in_log;
/* A leader begins its term with nothing, as libraft itself does. */
extern bool no_barrier;

struct replica {
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    raft_time now;

    /* The disk. Rollcall is it; this is how it stands there. */
    raft_term term;
    raft_id vote;
    raft_index truncated[2], applied[2];
    json_t *entries; /* as on the wire, behind the truncated index */
    json_t *conf;    /* as of what took effect */
    raft_term led;   /* in this term it has begun to lead */

    /* What the library waits for, in order. */
    struct due due[256];
    unsigned due_from, due_to;
    /* A snapshot that is to be stored. */
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_cb;
    json_t *put_as;

    /* While a verb is carried out. */
    json_t *appended, *sent;
    json_t *arriving; /* the entries of the message that arrives */
    json_t *proposed; /* the change that is proposed, with its data */
    bool one, beating, to_a_beat;
};

/* Carries out a verb. Null, or why nothing has changed. */
const char *replica_open(struct replica *n, json_t *open);
void replica_close(struct replica *n);
const char *replica_take(struct replica *n, const char *verb, json_t *of);
/* What came of it. */
json_t *replica_done(struct replica *n);

/* wire.c */
json_t *base64_of(const void *bytes, size_t length);
void *bytes_of(const json_t *base64, size_t *length);
json_t *conf_json(const struct raft_configuration *c);
int conf_of(const json_t *json, struct raft_configuration *c);
json_t *entry_json(raft_index index, const struct raft_entry *e, const json_t *change_and_data);
struct raft_entry *entries_of(json_t *json, unsigned *count);
json_t *message_json(struct replica *n, const struct raft_message *m);
const char *message_of(struct replica *n, json_t *json, struct raft_message *m);
uint64_t number(const json_t *of, const char *name);

#endif
