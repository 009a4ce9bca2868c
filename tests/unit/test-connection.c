/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and the node come and go. */
#include "engine-lab.h"

#include "engine/peers/peer.h"

static const struct record_peer *next_peer(struct lab *lab)
{
    const struct record *record = lab_next(lab, RECORD_PEER);

    return record ? &record->peer : NULL;
}

static void up_and_down(void **state)
{
    struct lab *lab = *state;
    const struct record_peer *record;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    record = next_peer(lab);
    assert_true(record->up);
    assert_int_equal(record->role, PD_ROLE_SERVER);
    assert_string_equal(record->subject.peer->s, "a");
    assert_null(record->reason);
    assert_true(lab->poke.state_was_zero);
    lab_peer_down(lab, 17);
    record = next_peer(lab);
    assert_false(record->up);
    assert_string_equal(record->reason->s, "idle_timeout");
    assert_int_equal(lab->poke.changes[PD_PEER_DOWN], 1);
    lab_peer_down(lab, 17);
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    assert_int_equal(engine_counts(lab->engine).peers, 0);
}

static void greater_conns_replace(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "a", 16); /* of the past */
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    assert_non_null(lab_peer(lab, 17));
    lab_peer_up(lab, "a", 18);
    assert_null(lab_peer(lab, 17));
    assert_int_equal(engine_counts(lab->engine).peers, 1);
    assert_true(lab->poke.state_was_zero); /* state belongs to a connection */
    assert_int_equal(lab->poke.changes[PD_PEER_DOWN], 1);
    lab_peer_up(lab, "b", 18); /* that is a's */
    assert_string_equal(lab_peer(lab, 18)->view.name, "a");
    assert_non_null(lab_notice(lab, "bad-peer-up"));
}

static void told_again_is_a_path(void **state)
{
    struct lab *lab = *state;
    struct event_peer_up event = {
        .peer = "a",
        .conn = 17,
        .local = "10.0.1.2:40001",
        .remote = "10.0.9.9:9100",
        .migratable = true,
        .reconnectable = true,
    };

    lab_peer_up(lab, "a", 17);
    lab_peer_told(lab, &event);
    assert_int_equal(lab->poke.changes[PD_PEER_PATH], 0); /* nothing differs */
    event.local = "10.0.2.2:40001";
    event.remote = NULL; /* absent: stays */
    lab_peer_told(lab, &event);
    assert_int_equal(lab->poke.changes[PD_PEER_PATH], 1);
    assert_string_equal(lab_peer(lab, 17)->view.path->local_text, "10.0.2.2:40001");
    assert_string_equal(lab_peer(lab, 17)->view.path->remote_text, "10.0.9.9:9100");
    assert_int_equal(lab_peer(lab, 17)->view.path->local.bytes[2], 2);
    assert_int_equal(lab->poke.changes[PD_PEER_UP], 1);
}

static void paths(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_event(lab, &(struct event){
                       .type = EVENT_PEER_PATH,
                       .peer_path = {.conn = 17, .via = "relay-1"},
                   });
    assert_int_equal(lab->poke.changes[PD_PEER_PATH], 1);
    assert_string_equal(lab_peer(lab, 17)->view.path->via, "relay-1");
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH, .peer_path = {.conn = 99}});
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
}

static void tell_path(struct lab *lab, const char *local, const char *interface)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_PEER_PATH,
                       .peer_path = {.conn = 17, .local = local, .interface = interface},
                   });
}

static void expect_path(struct lab *lab, uint32_t changes, const char *local, const char *interface)
{
    const struct pd_path *path = lab_peer(lab, 17)->view.path;

    assert_int_equal(lab->poke.changes[PD_PEER_PATH], changes);
    assert_string_equal(path->local_text, local);
    assert_true(string_equal(path->interface, interface));
}

/* An interface belongs to the socket: it stays as long as the addresses do. */
static void bound_to_an_interface(void **state)
{
    struct lab *lab = *state;

    lab_peer_told(lab, &(struct event_peer_up){
                           .peer = "a", .conn = 17, .local = "10.0.1.2:4", .interface = "up1"});
    expect_path(lab, 0, "10.0.1.2:4", "up1");
    tell_path(lab, "10.0.1.2:4", NULL);
    expect_path(lab, 0, "10.0.1.2:4", "up1");
    tell_path(lab, NULL, "up1");
    expect_path(lab, 0, "10.0.1.2:4", "up1");
    tell_path(lab, NULL, "up2");
    expect_path(lab, 1, "10.0.1.2:4", "up2");
    tell_path(lab, "10.0.1.2:5", NULL);
    expect_path(lab, 2, "10.0.1.2:5", NULL);
    tell_path(lab, "10.0.1.2:5", NULL);
    expect_path(lab, 2, "10.0.1.2:5", NULL);
    lab_peer_told(lab, &(struct event_peer_up){
                           .peer = "a", .conn = 17, .local = "10.0.1.2:5", .interface = "up1"});
    expect_path(lab, 3, "10.0.1.2:5", "up1");
}

static void addresses_that_cannot_be_read(void **state)
{
    struct lab *lab = *state;

    lab_peer_told(lab, &(struct event_peer_up){.peer = "a", .conn = 17, .local = "nonsense"});
    assert_int_equal(lab_peer(lab, 17)->view.path->local.family, 0);
    assert_int_equal(lab_peer(lab, 17)->view.path->remote.family, 0);
}

static void too_many(void **state)
{
    struct lab *lab = *state;

    lab->config.max_peers = 2;
    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    lab_peer_up(lab, "c", 3);
    lab_peer_up(lab, "d", 4);
    assert_int_equal(engine_counts(lab->engine).peers, 2);
    assert_non_null(lab_notice(lab, "too-many-peers"));
    assert_null(lab_notice(lab, "too-many-peers")); /* once a minute */
    lab_peer_up(lab, "b", 5);
    assert_int_equal(engine_counts(lab->engine).peers, 2);
    assert_non_null(lab_peer(lab, 5));
}

/* Indices are reused, and state with them is not. */
static void many_come_and_go(void **state)
{
    struct lab *lab = *state;

    for (uint64_t conn = 1; conn <= 3000; conn++) {
        char name[16];

        snprintf(name, sizeof(name), "n%lu", (unsigned long)(conn % 1500));
        lab_peer_up(lab, name, conn);
        assert_true(lab->poke.state_was_zero);
        if (conn % 3 == 0)
            lab_peer_down(lab, conn);
    }
    assert_int_equal(engine_counts(lab->engine).peers, 1000);
    assert_true(lab->engine->peers.top <= 1500);
    for (uint64_t conn = 1501; conn <= 3000; conn++)
        assert_int_equal(lab_peer(lab, conn) != NULL, conn % 3 != 0);
    assert_null(lab_peer(lab, 1499));
    assert_non_null(peers_find_name(lab->engine, "n1"));
    assert_null(peers_find_name(lab->engine, "n0"));
}

/* ---- the node ---- */

static const struct record_node *next_node(struct lab *lab)
{
    const struct record *record = lab_next(lab, RECORD_NODE);

    return record ? &record->node : NULL;
}

static void node_records(void **state)
{
    struct lab *lab = *state;
    const struct record_node *record;

    lab_node_down(lab);
    record = next_node(lab);
    assert_false(record->up);
    assert_string_equal(record->reason->s, "closed");
    assert_string_equal(record->node->s, "node");
    lab_node_down(lab); /* the same: no news */
    assert_null(next_node(lab));
    lab_event(lab, &(struct event){.type = EVENT_NODE_DOWN, .node_down.reason = "refused"});
    assert_string_equal(next_node(lab)->reason->s, "refused");
    lab_node_up(lab, "boot");
    record = next_node(lab);
    assert_true(record->up);
    assert_string_equal(record->boot->s, "boot");
    assert_null(record->reason);
    assert_true(lab->poke.node.same_boot);
    lab_node_up(lab, "boot"); /* the shell lost a node_down */
    assert_false(next_node(lab)->up);
    assert_true(next_node(lab)->up);
    lab_node_up(lab, "other");
    assert_false(lab->poke.node.same_boot);
    lab_node_up(lab, ""); /* not told: never the same */
    lab_node_up(lab, "");
    assert_false(lab->poke.node.same_boot);
}

static void not_told_again(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_node_down(lab);
    lab_skip(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    assert_int_equal(lab->poke.changes[PD_PEER_TOLD], 1);
    assert_null(next_peer(lab)); /* no news: it was known */
    lab_snapshot(lab);
    assert_string_equal(next_peer(lab)->subject.peer->s, "b");
    assert_int_equal(engine_counts(lab->engine).peers, 1);
    assert_int_equal(lab->poke.changes[PD_PEER_UP], 2);
    assert_int_equal(lab->poke.changes[PD_PEER_DOWN], 1);
}

static void another_boot(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_node_down(lab);
    lab_node_up(lab, "other");
    assert_int_equal(engine_counts(lab->engine).peers, 0);
    assert_int_equal(lab->poke.changes[PD_PEER_DOWN], 1);
    lab_peer_up(lab, "a", 3); /* numbers begin again */
    assert_non_null(lab_peer(lab, 3));
}

/* While the node's socket is down every connection is gone; what was moved is
 * advised again when it is told again. */
static void gone_while_down(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_node_down(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_GONE);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 18, VERDICT_GONE);
    assert_int_equal(engine_counts(lab->engine).remembered, 1);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    expect_no_decision(lab);
    lab_snapshot(lab);
    assert_int_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->decision, 3);
    expect_no_decision(lab);
}

static void queued_while_it_goes_down(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "z", 10);
    lab_peer_up(lab, "a", 17);
    lab_operator(lab, "z", COMMAND_BY_DEFAULT);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_skip(lab);
    lab_node_down(lab);
    assert_int_equal(expect_decision(lab, 17, VERDICT_GONE)->decision, 2);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    assert_int_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->decision, 3);
}

/* The snapshot of a large node is one thing that happened. */
static void a_large_snapshot_is_bulk(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    size_t bulk = 0;

    lab_node_up(lab, "large");
    for (uint64_t conn = 1; conn <= 1200; conn++) {
        char name[16];

        snprintf(name, sizeof(name), "n%lu", (unsigned long)conn);
        lab_peer_up(lab, name, conn);
    }
    lab_snapshot(lab);
    lab_peer_up(lab, "late", 5000);
    while ((record = lab_next(lab, RECORD_PEER)))
        bulk += record->bulk;
    assert_int_equal(bulk, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(up_and_down),
        LAB_TEST(greater_conns_replace),
        LAB_TEST(told_again_is_a_path),
        LAB_TEST(paths),
        LAB_TEST(bound_to_an_interface),
        LAB_TEST(addresses_that_cannot_be_read),
        LAB_TEST(too_many),
        LAB_TEST(many_come_and_go),
        LAB_TEST(node_records),
        LAB_TEST(not_told_again),
        LAB_TEST(another_boot),
        LAB_TEST(gone_while_down),
        LAB_TEST(queued_while_it_goes_down),
        LAB_TEST(a_large_snapshot_is_bulk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
