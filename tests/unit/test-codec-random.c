/* SPDX-License-Identifier: Apache-2.0 */
/* codec/codec.[ch]: random events come back as they were. */
#include "check.h"

#include "codec/codec.h"
#include "engine/event.h"

/* ---- random events ---- */

struct random {
    uint64_t state;
    struct arena arena;
};

static uint64_t any(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(struct random *random, uint64_t limit)
{
    return any(random) % limit;
}

/* Small ones, large ones and the ends of the range, alike often. */
static uint64_t any_u64(struct random *random)
{
    static const uint64_t ends[] = {0,
                                    1,
                                    INT64_MAX,
                                    UINT64_C(1) << 63,
                                    UINT64_MAX - 1,
                                    UINT64_MAX,
                                    (UINT64_C(1) << 53) - 1,
                                    UINT64_C(1) << 53};

    return below(random, 3) ? any(random) >> below(random, 64)
                            : ends[below(random, ARRAY_SIZE(ends))];
}

static bool any_bool(struct random *random)
{
    return below(random, 2);
}

/* Any bytes but NUL: also what is not UTF-8. */
static const char *any_text(struct random *random)
{
    static const char *const special[] = {"",
                                          "\"",
                                          "\\",
                                          "\n\r\t\x01\x7f",
                                          "\xff",
                                          "null",
                                          "a\xc3\xa9\xf0\x9f\x98\x80",
                                          "\xed\xa0\x80",
                                          "{}"};
    size_t length = below(random, 30);
    char *text;

    if (!below(random, 3))
        return special[below(random, ARRAY_SIZE(special))];
    text = arena_new(&random->arena, length + 1, 1);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(any_bool(random) ? 1 + below(random, 255) : 'a' + below(random, 26));
    return text;
}

static const char *any_optional(struct random *random)
{
    return below(random, 3) ? any_text(random) : NULL;
}

static void fill_signal(struct random *random, struct event_signal *ret)
{
    size_t n = below(random, 5);
    struct pd_field *fields = arena_new(&random->arena, n, sizeof(*fields));

    for (size_t i = 0; i < n; i++) {
        fields[i].name = any_text(random);
        fields[i].text = any_optional(random);
        fields[i].number = fields[i].text ? 0 : any_u64(random);
    }
    *ret = (struct event_signal){any_text(random), any_text(random), any_u64(random), fields, n};
}

static void fill_samples(struct random *random, struct event_samples *ret)
{
    size_t n = below(random, 20);
    struct sample_row *rows = arena_new(&random->arena, n, sizeof(*rows));

    ret->columns = (uint32_t)below(random, 1u << PD_COLUMN_COUNT);
    for (size_t i = 0; i < n; i++) {
        rows[i].conn = any_u64(random);
        for (size_t c = 0; c < PD_COLUMN_COUNT; c++)
            rows[i].row.v[c] =
                ret->columns & (1u << c) && below(random, 4) ? any_u64(random) : PD_UNKNOWN;
    }
    ret->rows = rows;
    ret->n_rows = n;
}

static void fill_command(struct random *random, struct event_command *ret)
{
    *ret = (struct event_command){
        .type = (enum command_type)below(random, COMMAND_STOP + 1),
        .peer = any_optional(random),
        .uplink = any_optional(random),
        .by = (enum command_by)below(random, COMMAND_BY_RECONNECT + 1),
        .interface = any_optional(random),
        .local = any_optional(random),
        .via = any_optional(random),
        .who = any_optional(random),
        .duration_us = any_u64(random),
        .observe = any_bool(random),
        .config = any_optional(random),
    };
}

static void fill_node(struct random *random, struct event *ret)
{
    if (ret->type == EVENT_NODE_DOWN)
        ret->node_down.reason = any_text(random);
    else
        ret->node_up = (struct event_node_up){any_text(random),     any_optional(random),
                                              any_text(random),     (uint32_t)below(random, 16),
                                              any_bool(random),     (uint32_t)any(random),
                                              (uint32_t)any(random)};
}

static void fill_peer(struct random *random, struct event *ret)
{
    if (ret->type == EVENT_PEER_UP)
        ret->peer_up = (struct event_peer_up){
            any_text(random),     any_u64(random),      (enum pd_role)below(random, 2),
            any_optional(random), any_optional(random), any_optional(random),
            any_bool(random),     any_bool(random),     any_optional(random)};
    else if (ret->type == EVENT_PEER_DOWN)
        ret->peer_down = (struct event_peer_down){any_u64(random), any_optional(random)};
    else
        ret->peer_path =
            (struct event_peer_path){any_u64(random), any_optional(random), any_optional(random),
                                     any_optional(random), any_optional(random)};
}

static struct learnt_peer any_learnt_peer(struct random *random)
{
    size_t n = below(random, 3);
    struct learnt_saved *saved = arena_new(&random->arena, n, sizeof(*saved));

    for (size_t i = 0; i < n; i++)
        saved[i] = (struct learnt_saved){i ? "route" : "stall", any_text(random)};
    return (struct learnt_peer){
        .peer = below(random, 2) ? "alpha@h" : "\xc3\xa4\xff",
        .conn = any_u64(random),
        .disabled = any_bool(random),
        .undialable = any_bool(random),
        .cooling_since_us = any_u64(random),
        .cooldown_doublings = (uint32_t)any(random),
        .backoff_until_us = {any_u64(random), any_u64(random)},
        .backoffs = {(uint32_t)any(random), (uint32_t)any(random)},
        .tokens_used = (uint32_t)any(random),
        .tokens_us = any_u64(random),
        .saved = saved,
        .n_saved = n,
    };
}

static void fill_restore(struct random *random, struct learnt *ret)
{
    size_t n_names = below(random, 4), n_peers = below(random, 4);
    struct learnt_name *names = arena_new(&random->arena, n_names, sizeof(*names));
    struct learnt_peer *peers = arena_new(&random->arena, n_peers, sizeof(*peers));

    for (size_t i = 0; i < n_names; i++)
        names[i] = (struct learnt_name){"name", any_bool(random), any_u64(random), any_u64(random),
                                        any_u64(random)};
    for (size_t i = 0; i < n_peers; i++)
        peers[i] = any_learnt_peer(random);
    *ret = (struct learnt){
        any_optional(random), any_bool(random), any_u64(random), names, n_names, peers, n_peers};
}

static void fill_interfaces(struct random *random, struct event_interfaces *ret)
{
    size_t n = below(random, 5);
    struct event_interface *list = arena_new(&random->arena, n, sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = (struct event_interface){any_text(random), any_text(random), any_bool(random),
                                           any_bool(random), any_bool(random), any_bool(random)};
    *ret = (struct event_interfaces){list, n};
}

static void fill_relays(struct random *random, struct event_relays *ret)
{
    size_t n = below(random, 5);
    struct pd_relay *list = arena_new(&random->arena, n, sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = (struct pd_relay){any_text(random), any_text(random), any_text(random)};
    *ret = (struct event_relays){list, n, any_bool(random) ? "00ffaB" : NULL};
}

static void any_event(struct random *random, struct event *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->type = (enum event_type)below(random, EVENT_TYPE_COUNT);
    ret->now_us = any_u64(random);
    ret->realtime_us = any_u64(random);
    switch (ret->type) {
    case EVENT_NODE_UP:
    case EVENT_NODE_DOWN:
        fill_node(random, ret);
        break;
    case EVENT_PEER_UP:
    case EVENT_PEER_DOWN:
    case EVENT_PEER_PATH:
        fill_peer(random, ret);
        break;
    case EVENT_SAMPLES:
        fill_samples(random, &ret->samples);
        break;
    case EVENT_SUMMARY_DONE:
        ret->summary_done =
            (struct event_summary_done){any_u64(random), any_bool(random), any_bool(random)};
        break;
    case EVENT_ANSWER:
        ret->answer = (struct event_answer){
            any_u64(random),      any_bool(random), any_bool(random),     any_bool(random),
            any_optional(random), any_u64(random),  (int64_t)any(random), any_optional(random)};
        break;
    case EVENT_SIGNAL:
        fill_signal(random, &ret->signal);
        break;
    case EVENT_COMMAND:
        fill_command(random, &ret->command);
        break;
    case EVENT_NOTICE:
        ret->notice = (struct event_notice){(enum pd_level)below(random, PD_LEVEL_DEBUG + 1),
                                            any_text(random), any_text(random), any_u64(random)};
        break;
    case EVENT_INTERFACES:
        fill_interfaces(random, &ret->interfaces);
        break;
    case EVENT_PROBED:
        ret->probed = (struct event_probed){any_u64(random), any_bool(random), any_u64(random),
                                            (int64_t)any(random), any_optional(random)};
        break;
    case EVENT_RELAYS:
        fill_relays(random, &ret->relays);
        break;
    case EVENT_RESTORE:
        fill_restore(random, &ret->restore);
        break;
    case EVENT_SNAPSHOT:
    case EVENT_TIMER:
    case EVENT_TYPE_COUNT:
        break;
    }
}

/* ---- comparison, by hand: the table that is under test must not evaluate itself ---- */

static bool same_relays(const struct event_relays *a, const struct event_relays *b)
{
    if (a->n != b->n || !string_equal(a->key, b->key))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!string_equal(a->list[i].name, b->list[i].name) ||
            !string_equal(a->list[i].address, b->list[i].address) ||
            !string_equal(a->list[i].speaks, b->list[i].speaks))
            return false;
    return true;
}

static bool same_fields(const struct event_signal *a, const struct event_signal *b)
{
    if (a->n_fields != b->n_fields)
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        if (!string_equal(a->fields[i].name, b->fields[i].name) ||
            !string_equal(a->fields[i].text, b->fields[i].text) ||
            a->fields[i].number != b->fields[i].number)
            return false;
    }
    return string_equal(a->trigger, b->trigger) && string_equal(a->kind, b->kind) &&
           a->query == b->query;
}

static bool same_samples(const struct event_samples *a, const struct event_samples *b)
{
    return a->columns == b->columns && a->n_rows == b->n_rows &&
           !memcmp(a->rows, b->rows, a->n_rows * sizeof(*a->rows));
}

static bool same_command(const struct event_command *a, const struct event_command *b)
{
    return a->type == b->type && string_equal(a->peer, b->peer) &&
           string_equal(a->uplink, b->uplink) && a->by == b->by &&
           string_equal(a->interface, b->interface) && string_equal(a->local, b->local) &&
           string_equal(a->via, b->via) && string_equal(a->who, b->who) &&
           a->duration_us == b->duration_us && a->observe == b->observe &&
           string_equal(a->config, b->config);
}

static bool same_answer(const struct event_answer *a, const struct event_answer *b)
{
    return a->request == b->request && a->ok == b->ok && a->malformed == b->malformed &&
           a->validated == b->validated && string_equal(a->local, b->local) && a->conn == b->conn &&
           a->code == b->code && string_equal(a->message, b->message);
}

static bool same_node_up(const struct event_node_up *a, const struct event_node_up *b)
{
    return string_equal(a->node, b->node) && string_equal(a->implementation, b->implementation) &&
           string_equal(a->boot, b->boot) && a->features == b->features &&
           a->prefer_reconnect == b->prefer_reconnect && a->max_in_flight == b->max_in_flight &&
           a->uid == b->uid;
}

static bool same_peer_up(const struct event_peer_up *a, const struct event_peer_up *b)
{
    return string_equal(a->peer, b->peer) && a->conn == b->conn && a->role == b->role &&
           string_equal(a->local, b->local) && string_equal(a->remote, b->remote) &&
           string_equal(a->via, b->via) && a->migratable == b->migratable &&
           a->reconnectable == b->reconnectable && string_equal(a->interface, b->interface);
}

static bool same_learnt_peer(const struct learnt_peer *a, const struct learnt_peer *b)
{
    if (a->n_saved != b->n_saved)
        return false;
    for (size_t i = 0; i < a->n_saved; i++)
        if (!string_equal(a->saved[i].trigger, b->saved[i].trigger) ||
            !string_equal(a->saved[i].text, b->saved[i].text))
            return false;
    return string_equal(a->peer, b->peer) && a->conn == b->conn && a->disabled == b->disabled &&
           a->undialable == b->undialable && a->cooling_since_us == b->cooling_since_us &&
           a->cooldown_doublings == b->cooldown_doublings &&
           a->backoff_until_us[0] == b->backoff_until_us[0] &&
           a->backoff_until_us[1] == b->backoff_until_us[1] && a->backoffs[0] == b->backoffs[0] &&
           a->backoffs[1] == b->backoffs[1] && a->tokens_used == b->tokens_used &&
           a->tokens_us == b->tokens_us;
}

static bool same_restore(const struct learnt *a, const struct learnt *b)
{
    if (a->n_names != b->n_names || a->n_peers != b->n_peers)
        return false;
    for (size_t i = 0; i < a->n_names; i++) {
        const struct learnt_name *one = &a->names[i], *other = &b->names[i];

        if (!string_equal(one->peer, other->peer) || one->held != other->held ||
            one->held_until_us != other->held_until_us ||
            one->reconnect_us != other->reconnect_us || one->gap_us != other->gap_us)
            return false;
    }
    for (size_t i = 0; i < a->n_peers; i++)
        if (!same_learnt_peer(&a->peers[i], &b->peers[i]))
            return false;
    return string_equal(a->node_boot, b->node_boot) && a->all_held == b->all_held &&
           a->all_held_until_us == b->all_held_until_us;
}

static bool same_interfaces(const struct event_interfaces *a, const struct event_interfaces *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct event_interface *one = &a->list[i], *other = &b->list[i];

        if (!string_equal(one->name, other->name) ||
            !string_equal(one->addresses, other->addresses) || one->carrier != other->carrier ||
            one->modem != other->modem || one->route4 != other->route4 ||
            one->route6 != other->route6)
            return false;
    }
    return true;
}

static bool same(const struct event *a, const struct event *b)
{
    if (a->type != b->type || a->now_us != b->now_us || a->realtime_us != b->realtime_us)
        return false;
    switch (a->type) {
    case EVENT_NODE_UP:
        return same_node_up(&a->node_up, &b->node_up);
    case EVENT_NODE_DOWN:
        return string_equal(a->node_down.reason, b->node_down.reason);
    case EVENT_PEER_UP:
        return same_peer_up(&a->peer_up, &b->peer_up);
    case EVENT_PEER_DOWN:
        return a->peer_down.conn == b->peer_down.conn &&
               string_equal(a->peer_down.reason, b->peer_down.reason);
    case EVENT_PEER_PATH:
        return a->peer_path.conn == b->peer_path.conn &&
               string_equal(a->peer_path.local, b->peer_path.local) &&
               string_equal(a->peer_path.remote, b->peer_path.remote) &&
               string_equal(a->peer_path.via, b->peer_path.via) &&
               string_equal(a->peer_path.interface, b->peer_path.interface);
    case EVENT_SAMPLES:
        return same_samples(&a->samples, &b->samples);
    case EVENT_SUMMARY_DONE:
        return a->summary_done.poll == b->summary_done.poll &&
               a->summary_done.failed == b->summary_done.failed &&
               a->summary_done.unanswered == b->summary_done.unanswered;
    case EVENT_ANSWER:
        return same_answer(&a->answer, &b->answer);
    case EVENT_SIGNAL:
        return same_fields(&a->signal, &b->signal);
    case EVENT_COMMAND:
        return same_command(&a->command, &b->command);
    case EVENT_NOTICE:
        return a->notice.level == b->notice.level && a->notice.count == b->notice.count &&
               string_equal(a->notice.what, b->notice.what) &&
               string_equal(a->notice.text, b->notice.text);
    case EVENT_INTERFACES:
        return same_interfaces(&a->interfaces, &b->interfaces);
    case EVENT_PROBED:
        return a->probed.probe == b->probed.probe && a->probed.ok == b->probed.ok &&
               a->probed.rtt_us == b->probed.rtt_us && a->probed.code == b->probed.code &&
               string_equal(a->probed.message, b->probed.message);
    case EVENT_RELAYS:
        return same_relays(&a->relays, &b->relays);
    case EVENT_RESTORE:
        return same_restore(&a->restore, &b->restore);
    case EVENT_SNAPSHOT:
    case EVENT_TIMER:
        return true;
    case EVENT_TYPE_COUNT:
        break;
    }
    return false;
}

static void test_random_events_come_back(void **state)
{
    const char *given = getenv("SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 0) : UINT64_C(20261120);
    struct random random = {.state = seed};
    struct arena arena = {0};
    struct buffer line = {0};
    unsigned seen[EVENT_TYPE_COUNT] = {0};
    char error[200] = "";

    for (int i = 0; i < 20000; i++) {
        struct event event, back;

        any_event(&random, &event);
        event_encode(&line, &event);
        assert_ptr_equal(memchr(buffer_bytes(&line), '\n', line.length),
                         buffer_bytes(&line) + line.length - 1);
        if (event_decode(buffer_bytes(&line), line.length, &arena, &back, error, sizeof(error)) ||
            !same(&event, &back))
            fail_msg("SEED=%llu, event %d: %s%.*s", (unsigned long long)seed, i, error,
                     (int)line.length, buffer_bytes(&line));
        seen[event.type]++;
        buffer_take(&line, line.length);
        arena_reset(&arena);
        arena_reset(&random.arena);
    }
    for (size_t i = 0; i < EVENT_TYPE_COUNT; i++)
        assert_true(seen[i] > 1000);
    arena_clear(&arena);
    arena_clear(&random.arena);
    buffer_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_events_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
