/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When conntrack is asked for what. New flows are found by dumps, since a dump cannot be lost and a
 * flood of short flows makes none; the flows that are told are asked for one by one, as long as
 * that is less work than a dump. Each takes at most a twentieth of the time, so that this program
 * stays polite on a machine of any size.
 */
#include "node_private.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "util/util.h"

#define DUMP_EVERY_US   UINT64_C(1000000)
#define DUMP_MOST_US    UINT64_C(10000000)
#define TOLD_MOST_US    UINT64_C(2000000)
#define MOVING_EVERY_US UINT64_C(20000)
#define HEALTH_EVERY_US UINT64_C(10000000)
#define WARN_EVERY_US   UINT64_C(60000000)
#define IDLE_SHARE      20u /* of the time, one part for this */
#define MOVING_SHARE    4u
#define GET_MOST        2048u /* beyond, a dump is less work */
#define GET_COST_US     5u    /* of one, before any was measured */
#define READY_AT_ONCE   64u
#define FULL_PERCENT    95u

/* What this program has cost so far. A busy machine's other programs are none of it. */
static uint64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* As often as wanted, as far as that takes a small part of the time; but not seldom. */
static uint64_t pause_us(uint64_t wanted_us, uint64_t cost_us, uint64_t most_us)
{
    return max_u64(wanted_us, min_u64(cost_us * IDLE_SHARE, most_us));
}

/* ---- one flow ---- */

static void end(struct node *node, struct flow *flow, const char *reason)
{
    steer_forget(node, flow);
    if (flow->state == FLOW_TOLD)
        tell_down(node, flow, reason);
    flow_remove(node->flows, flow);
}

/* Before it is sampled: what is compared with. */
struct before {
    uint64_t received;
    uint8_t local[16];
    uint16_t local_port;
};

static uint64_t received_of(const struct flow *flow)
{
    return flow->before_packets[FLOW_RECEIVED] + flow->entry.packets[FLOW_RECEIVED];
}

static struct before before_of(const struct flow *flow)
{
    struct before before = {.received = received_of(flow), .local_port = flow->local_port};

    memcpy(before.local, flow->local, sizeof(before.local));
    return before;
}

static void after(struct node *node, struct flow *flow, const struct before *before)
{
    if (flow->state != FLOW_TOLD)
        return;
    if (received_of(flow) != before->received)
        moves_answered(node->moves, flow->entry.seen_at, flow->conn, node->now_us);
    if (flow->move.state != MOVE_NONE)
        steer_look(node, flow);
    else if (memcmp(before->local, flow->local, sizeof(before->local)) != 0 ||
             before->local_port != flow->local_port)
        tell_path(node, flow);
    tell_unanswered(node, flow);
}

static void warn_uncounted(struct node *node, const struct flow_entry *entry)
{
    if (!entry->counted && !node->warned_uncounted) {
        node->warned_uncounted = true;
        log_line(node->log, LOG_WARNING,
                 "the kernel does not count the bytes of a flow, so nothing is known of whether it "
                 "lives: set net.netfilter.nf_conntrack_acct to 1 (flows that begin then are "
                 "counted)");
    }
    if (entry->age_us == FLOW_UNKNOWN && !node->warned_timestamps) {
        node->warned_timestamps = true;
        log_line(node->log, LOG_NOTICE,
                 "the kernel keeps no time of a flow's begin, so its age counts from when it was "
                 "seen first: set net.netfilter.nf_conntrack_timestamp to 1");
    }
}

static void take(struct node *node, const struct flow_entry *entry)
{
    struct flow *flow = flows_find(node->flows, &entry->tuple);
    struct before before = {0};

    warn_uncounted(node, entry);
    if (flow)
        before = before_of(flow);
    flow = flows_sample(node->flows, entry, node->now_us);
    if (flow)
        after(node, flow, &before);
}

/* ---- those that are told, one by one ---- */

struct asking {
    struct node *node;
    struct flow **flows;
    struct flow_tuple *tuples;
    size_t n;
};

static void asking_init(struct asking *asking, struct node *node, size_t most)
{
    *asking = (struct asking){node, memory_new(most, sizeof(struct flow *)),
                              memory_new(most, sizeof(struct flow_tuple)), 0};
}

static void asking_add(struct asking *asking, struct flow *flow)
{
    asking->flows[asking->n] = flow;
    asking->tuples[asking->n++] = flow->tuple;
}

static void on_answer(size_t i, const struct flow_entry *entry, void *user)
{
    struct asking *asking = user;
    struct node *node = asking->node;
    struct flow *flow = asking->flows[i];

    if (entry) {
        take(node, entry);
        return;
    }
    flow_missing(flow, node->now_us);
    if (flow->move.state != MOVE_NONE)
        steer_look(node, flow);
}

/* Asks, and ends those that have ended. */
static void asking_do(struct asking *asking)
{
    struct node *node = asking->node;
    int r = conntrack_get(node->conntrack, asking->tuples, asking->n, on_answer, asking);

    if (r < 0 && node->warned_conntrack != r)
        log_line(node->log, LOG_WARNING, "conntrack did not answer: %s", strerror(-r));
    node->warned_conntrack = r;
    for (size_t i = 0; r >= 0 && i < asking->n; i++)
        if (flow_has_ended(&node->settings, asking->flows[i], node->now_us))
            end(node, asking->flows[i], "idle");
    free(asking->flows);
    free(asking->tuples);
}

static void get_told(struct node *node, bool moving_only)
{
    struct asking asking;

    asking_init(&asking, node, flows_told(node->flows));
    for (size_t i = 0; i < flows_told(node->flows); i++) {
        struct flow *flow = flows_at(node->flows, i);

        if (!moving_only || flow->move.state != MOVE_NONE)
            asking_add(&asking, flow);
    }
    asking_do(&asking);
}

void sample_conns(struct node *node, const uint64_t *conns, size_t n)
{
    struct asking asking;

    asking_init(&asking, node, n);
    for (size_t i = 0; i < n; i++) {
        struct flow *flow = flows_find_conn(node->flows, conns[i]);
        bool twice = false;

        for (size_t j = 0; j < asking.n && !twice; j++)
            twice = asking.flows[j] == flow;
        if (flow && !twice)
            asking_add(&asking, flow);
    }
    asking_do(&asking);
}

/* ---- dumps ---- */

static void on_dumped(const struct flow_entry *entry, void *user)
{
    take(user, entry);
}

static void on_older(struct flow *flow, void *user)
{
    struct asking *asking = user;

    if (flow->state == FLOW_TOLD) {
        asking_add(asking, flow);
        return;
    }
    flow_missing(flow, asking->node->now_us);
    end(asking->node, flow, NULL);
}

/* What a whole dump did not have is gone, or was moved while it was made, or has its entry from the
 * server's packet: the told ones are asked for. */
static void dump_done(struct node *node)
{
    struct asking asking;

    asking_init(&asking, node, flows_told(node->flows));
    flows_each_older(node->flows, node->dump_begun_us, on_older, &asking);
    asking_do(&asking);
}

void sample_process(struct node *node)
{
    uint64_t begun_us = cpu_us();
    bool whole = false;
    int r;

    if (!conntrack_is_dumping(node->conntrack)) { /* what is left of one that failed */
        (void)conntrack_process(node->conntrack, on_dumped, node, &whole);
        return;
    }
    r = conntrack_process(node->conntrack, on_dumped, node, &whole);
    if (r < 0) {
        if (node->warned_conntrack != r)
            log_line(node->log, LOG_WARNING,
                     "conntrack's table could not be read, it is read again: %s", strerror(-r));
        node->warned_conntrack = r;
    }
    if (r == 1 && whole)
        dump_done(node);
    node->dump_cost_us += cpu_us() - begun_us;
    if (r)
        node->dump_next_us =
            node->now_us + pause_us(node->dump_is_sample ? node->options->sample_us : DUMP_EVERY_US,
                                    node->dump_cost_us, DUMP_MOST_US);
}

static void dump_begin(struct node *node)
{
    uint64_t begun_us = cpu_us();
    int r = conntrack_dump(node->conntrack);

    node->dump_begun_us = node->now_us;
    node->dump_cost_us = cpu_us() - begun_us;
    if (r < 0 && node->warned_conntrack != r)
        log_line(node->log, LOG_WARNING, "conntrack's table cannot be read: %s", strerror(-r));
    node->warned_conntrack = r < 0 ? r : 0;
    node->dump_next_us = node->now_us + DUMP_EVERY_US;
}

/* ---- new ones ---- */

static void decide(struct node *node, struct flow *flow)
{
    struct owner owner;
    int r = owner_find(node->owners, &flow->tuple, &owner);

    if (r < 0 && !node->warned_owner) {
        node->warned_owner = true;
        log_line(node->log, LOG_WARNING, "the kernel did not say whose flow it is: %s",
                 strerror(-r));
    }
    flow->forwarded = owner.kind == OWNER_FORWARDED;
    memcpy(flow->lan, owner.lan, sizeof(flow->lan));
    if (r < 0 || !owner_is_wanted(&node->wanted, &owner) || !steer_may(node, flow)) {
        steer_forget(node, flow);
        flow_leave(node->flows, flow);
        return;
    }
    flow_tell(node->flows, flow, owner_name(&owner));
    (void)tell_up(node, flow);
}

static bool decide_some(struct node *node)
{
    struct flow *flow;

    for (unsigned i = 0; i < READY_AT_ONCE && (flow = flows_ready(node->flows)); i++)
        decide(node, flow);
    return flows_ready(node->flows);
}

/* ---- how the table is ---- */

static bool warn_again(uint64_t *warned_us, uint64_t now_us)
{
    if (*warned_us && now_us - *warned_us < WARN_EVERY_US)
        return false;
    *warned_us = now_us;
    return true;
}

static void health(struct node *node)
{
    uint64_t over = flows_over_limit(node->flows);
    uint32_t count, most;

    if (conntrack_count(node->conntrack, &count, &most) >= 0 && most &&
        UINT64_C(100) * count >= UINT64_C(1) * FULL_PERCENT * most &&
        warn_again(&node->warned_full_us, node->now_us))
        log_line(
            node->log, LOG_WARNING,
            "conntrack's table is full: %u of %u entries; new flows of all programs are dropped "
            "then, and nothing is known of them (net.netfilter.nf_conntrack_max)",
            count, most);
    if (over != node->warned_over_limit && warn_again(&node->warned_limit_us, node->now_us)) {
        log_line(node->log, LOG_WARNING,
                 "there are more flows than may be told, %u: some are left out (max-flows)",
                 node->settings.limit);
        node->warned_over_limit = over;
    }
}

/* ---- what is due ---- */

static bool by_dump(const struct node *node)
{
    size_t n = flows_told(node->flows);

    return n > GET_MOST && node->dump_cost_us < n * GET_COST_US;
}

static void told_due(struct node *node)
{
    uint64_t begun_us = cpu_us();

    node->dump_is_sample = by_dump(node);
    if (!node->dump_is_sample && flows_told(node->flows))
        get_told(node, false);
    node->told_cost_us = cpu_us() - begun_us;
    node->told_next_us =
        node->now_us + pause_us(node->options->sample_us, node->told_cost_us, TOLD_MOST_US);
}

static void moving_due(struct node *node)
{
    uint64_t begun_us = cpu_us();

    get_told(node, true);
    node->moving_next_us =
        node->now_us + max_u64(MOVING_EVERY_US, (cpu_us() - begun_us) * MOVING_SHARE);
}

uint64_t sample_tick(struct node *node)
{
    uint64_t next_us;
    bool more;

    if (node->now_us >= node->told_next_us)
        told_due(node);
    if (node->n_moving && node->now_us >= node->moving_next_us)
        moving_due(node);
    if (!conntrack_is_dumping(node->conntrack) && node->now_us >= node->dump_next_us)
        dump_begin(node);
    if (node->now_us >= node->health_next_us) {
        health(node);
        node->health_next_us = node->now_us + HEALTH_EVERY_US;
    }
    more = decide_some(node);
    next_us = min_u64(node->told_next_us, node->health_next_us);
    if (!conntrack_is_dumping(node->conntrack))
        next_us = min_u64(next_us, node->dump_next_us);
    if (node->n_moving)
        next_us = min_u64(next_us, node->moving_next_us);
    return more ? node->now_us : next_us;
}
