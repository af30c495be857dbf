/* The wire's entries, configurations and messages, and libraft's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replica.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *base64_of(const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    char *text = calloc(1, length / 3 * 4 + 5), *to = text;
    for (size_t i = 0; i < length; i += 3) {
        unsigned left = length - i < 3 ? length - i : 3;
        unsigned three = from[i] << 16 | (left > 1 ? from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0);
        for (unsigned digit = 0; digit < 4; digit++) {
            *to++ = digit <= left ? DIGITS[three >> (18 - 6 * digit) & 63] : '=';
        }
    }
    json_t *json = json_string(text);
    free(text);
    return json;
}

void *bytes_of(const json_t *base64, size_t *length)
{
    const char *text = json_is_string(base64) ? json_string_value(base64) : "";
    unsigned char *bytes = malloc(strlen(text) / 4 * 3 + 3);
    unsigned bits = 0, count = 0;
    *length = 0;
    for (; *text && *text != '='; text++) {
        bits = bits << 6 | (unsigned)(strchr(DIGITS, *text) - DIGITS);
        if (++count % 4 != 1) {
            bytes[(*length)++] = bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0) & 255;
        }
    }
    return bytes;
}

uint64_t number(const json_t *of, const char *name) { return json_integer_value(json_object_get(of, name)); }

json_t *conf_json(const struct raft_configuration *c)
{
    json_t *voters = json_array(), *learners = json_array();
    for (unsigned i = 0; i < c->n; i++) {
        json_array_append_new(c->servers[i].role == RAFT_VOTER ? voters : learners, json_integer(c->servers[i].id));
    }
    return json_pack("{so so s[] s[]}", "voters", voters, "learners", learners, "voters_outgoing", "learners_next");
}

int conf_of(const json_t *json, struct raft_configuration *c)
{
    static const struct { const char *name; int role; } LISTS[] = {{"voters", RAFT_VOTER}, {"learners", RAFT_STANDBY}};
    raft_configuration_init(c);
    for (unsigned list = 0; list < 2; list++) {
        size_t i;
        json_t *id;
        json_array_foreach(json_object_get(json, LISTS[list].name), i, id) {
            char address[24];
            snprintf(address, sizeof address, "%lld", (long long)json_integer_value(id));
            int error = raft_configuration_add(c, json_integer_value(id), address, LISTS[list].role);
            if (error) return error;
        }
    }
    return 0;
}

/* A change says on the wire what it changes, and in its body what libraft has: all members. */
json_t *entry_json(raft_index index, const struct raft_entry *e, const json_t *change_and_data)
{
    json_t *json = json_pack("{sI sI}", "index", (json_int_t)index, "term", (json_int_t)e->term);
    if (e->type == RAFT_COMMAND) {
        json_object_set_new(json, "data", base64_of(e->buf.base, e->buf.len));
    } else if (e->type == RAFT_CHANGE) {
        json_object_set(json, "data", json_object_get(change_and_data, "data"));
        json_object_set(json, "change", json_object_get(change_and_data, "change"));
        json_object_set_new(json, "body", base64_of(e->buf.base, e->buf.len));
    }
    return json;
}

/* In one batch, as libraft receives them. */
struct raft_entry *entries_of(json_t *json, unsigned *count)
{
    *count = json_array_size(json);
    if (*count == 0) return NULL;
    struct raft_entry *entries = raft_calloc(*count, sizeof *entries);
    void **parts = calloc(*count, sizeof *parts);
    size_t total = 0, i;
    json_t *entry;
    json_array_foreach(json, i, entry) {
        bool change = json_object_get(entry, "change") != NULL;
        struct raft_entry *e = &entries[i];
        e->term = number(entry, "term");
        parts[i] = bytes_of(json_object_get(entry, change ? "body" : "data"), &e->buf.len);
        e->type = change ? RAFT_CHANGE : e->buf.len ? RAFT_COMMAND : RAFT_BARRIER;
        total += e->buf.len ? e->buf.len : 8;
    }
    char *batch = raft_calloc(1, total), *at = batch;
    for (i = 0; i < *count; i++) {
        struct raft_entry *e = &entries[i];
        memcpy(at, parts[i], e->buf.len);
        free(parts[i]);
        if (e->buf.len == 0) e->buf.len = 8;
        e->buf.base = at;
        e->batch = batch;
        at += e->buf.len;
    }
    free(parts);
    return entries;
}

static void put(json_t *json, const char *name, uint64_t value)
{
    if (value) json_object_set_new(json, name, json_integer((json_int_t)value));
}

static json_t *head(struct replica *n, const char *type, const struct raft_message *m, raft_term term)
{
    return json_pack("{ss sI sI sI}", "type", type, "from", (json_int_t)n->raft.id, "to", (json_int_t)m->server_id, "term",
                     (json_int_t)term);
}

/* What the head has no place for. */
static void body(json_t *json, uint64_t first, uint64_t second)
{
    char text[48];
    int length = snprintf(text, sizeof text, "%llu %llu", (unsigned long long)first, (unsigned long long)second);
    json_object_set_new(json, "body", base64_of(text, length));
}

static void of_body(const json_t *json, uint64_t *first, uint64_t *second)
{
    size_t length;
    char *text = bytes_of(json_object_get(json, "body"), &length);
    unsigned long long numbers[2] = {0, 0};
    text[length] = 0;
    sscanf(text, "%llu %llu", &numbers[0], &numbers[1]);
    *first = numbers[0];
    *second = numbers[1];
    free(text);
}

static json_t *append_json(struct replica *n, const struct raft_message *m)
{
    const struct raft_append_entries *a = &m->append_entries;
    unsigned at = configurationIndexOf(&n->raft.configuration, m->server_id);
    json_t *json = head(n, n->beating ? "heartbeat" : "append", m, a->term);
    if (n->beating) {
        /* A heartbeat's commit index says whether its receiver is known to have anything. */
        raft_index match = at < n->raft.configuration.n ? progressMatchIndex(&n->raft, at) : 0;
        put(json, "commit", match < a->leader_commit ? match : a->leader_commit);
        body(json, a->prev_log_index, a->prev_log_term);
        return json;
    }
    put(json, "index", a->prev_log_index);
    put(json, "log_term", a->prev_log_term);
    put(json, "commit", a->leader_commit);
    json_t *entries = json_array();
    for (unsigned i = 0; i < a->n_entries && !(n->one && i > 0); i++) {
        json_array_append(entries, json_array_get(n->entries, a->prev_log_index + i - n->truncated[0]));
    }
    json_object_set_new(json, "entries", entries);
    return json;
}

json_t *message_json(struct replica *n, const struct raft_message *m)
{
    json_t *json;
    switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return append_json(n, m);
    case RAFT_IO_APPEND_ENTRIES_RESULT: {
        const struct raft_append_entries_result *a = &m->append_entries_result;
        json = head(n, n->to_a_beat ? "heartbeat_answer" : "append_answer", m, a->term);
        put(json, "index", a->rejected ? 0 : a->last_log_index);
        if (a->rejected) json_object_set_new(json, "reject", json_true());
        body(json, a->rejected, a->last_log_index);
        return json;
    }
    case RAFT_IO_REQUEST_VOTE: {
        const struct raft_request_vote *v = &m->request_vote;
        json = head(n, "vote", m, v->term);
        put(json, "index", v->last_log_index);
        put(json, "log_term", v->last_log_term);
        body(json, v->disrupt_leader, 0);
        return json;
    }
    case RAFT_IO_REQUEST_VOTE_RESULT:
        json = head(n, "vote_answer", m, m->request_vote_result.term);
        if (!m->request_vote_result.vote_granted) json_object_set_new(json, "reject", json_true());
        return json;
    case RAFT_IO_INSTALL_SNAPSHOT: {
        const struct raft_install_snapshot *s = &m->install_snapshot;
        json = head(n, "snapshot", m, s->term);
        json_object_set_new(json, "snapshot",
                            json_pack("{sI sI so}", "index", (json_int_t)s->last_index, "term", (json_int_t)s->last_term,
                                      "conf", conf_json(&s->conf)));
        body(json, s->conf_index, 0);
        return json;
    }
    default:
        json = head(n, "timeout_now", m, m->timeout_now.term);
        put(json, "index", m->timeout_now.last_log_index);
        put(json, "log_term", m->timeout_now.last_log_term);
        return json;
    }
}

/* Null, or why it is no message. What libraft gets it owns. */
const char *message_of(struct replica *n, json_t *json, struct raft_message *m)
{
    static char address[24];
    const char *type = json_string_value(json_object_get(json, "type"));
    uint64_t term = number(json, "term"), index = number(json, "index"), log_term = number(json, "log_term");
    uint64_t first, second;
    bool reject = json_is_true(json_object_get(json, "reject"));
    if (!type) return "a message without a type";
    of_body(json, &first, &second);
    memset(m, 0, sizeof *m);
    m->server_id = number(json, "from");
    snprintf(address, sizeof address, "%llu", (unsigned long long)m->server_id);
    m->server_address = address;
    if (!strcmp(type, "append") || !strcmp(type, "heartbeat")) {
        struct raft_append_entries *a = &m->append_entries;
        m->type = RAFT_IO_APPEND_ENTRIES;
        n->to_a_beat = type[0] == 'h';
        a->term = term;
        a->leader_commit = number(json, "commit");
        a->prev_log_index = n->to_a_beat ? first : index;
        a->prev_log_term = n->to_a_beat ? second : log_term;
        n->arriving = json_object_get(json, "entries");
        a->entries = entries_of(n->arriving, &a->n_entries);
    } else if (!strcmp(type, "append_answer") || !strcmp(type, "heartbeat_answer")) {
        m->type = RAFT_IO_APPEND_ENTRIES_RESULT;
        m->append_entries_result = (struct raft_append_entries_result){term, first, second};
    } else if (!strcmp(type, "vote")) {
        m->type = RAFT_IO_REQUEST_VOTE;
        m->request_vote = (struct raft_request_vote){term, m->server_id, index, log_term, first != 0, false};
    } else if (!strcmp(type, "vote_answer")) {
        m->type = RAFT_IO_REQUEST_VOTE_RESULT;
        m->request_vote_result = (struct raft_request_vote_result){term, !reject, raft_tribool_false};
    } else if (!strcmp(type, "snapshot")) {
        struct raft_install_snapshot *s = &m->install_snapshot;
        json_t *of = json_object_get(json, "snapshot");
        m->type = RAFT_IO_INSTALL_SNAPSHOT;
        s->term = term;
        s->last_index = number(of, "index");
        s->last_term = number(of, "term");
        s->conf_index = first;
        if (conf_of(json_object_get(of, "conf"), &s->conf)) return "a configuration that libraft does not take";
        s->data.len = 8;
        s->data.base = raft_calloc(1, 8);
    } else if (!strcmp(type, "timeout_now")) {
        m->type = RAFT_IO_TIMEOUT_NOW;
        m->timeout_now = (struct raft_timeout_now){term, index, log_term};
    } else {
        return "a message of an unknown type";
    }
    return NULL;
}
