/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route*.c: the policy, fed with answers from a table of ways that the
 * tests change as a kernel would.
 */
#include "check.h"
#include "mock-host.h"

#include "util/util.h"

#include <inttypes.h>
#include <time.h>

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_route;

/* What "the kernel" answers, by destination or by family; the first that fits. */
struct rule {
    const char *match;  /* is found in the query's text; "" fits all */
    const char *answer; /* fields of a way-out; `error=…` for none */
};

#define UP0     "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.2 prefix=default"
#define UP1     "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.2.2 prefix=default"
#define UP2     "oif=4 ifname=up2 gateway=10.0.3.1 source=10.0.3.2 prefix=default"
#define NO_WAY  "error=ENETUNREACH"
#define PENDING 4096

struct kernel {
    struct rule rules[8];
    const char *gone; /* an address that is on no interface */
    uint64_t ids[PENDING];
    char queries[PENDING][160];
    size_t n_pending;
    size_t answered;
    bool keep_texts;
};

static void kernel_query(struct mock *mock, const struct pd_query *query)
{
    struct kernel *kernel = mock->user;
    char *text = kernel->queries[kernel->n_pending];
    size_t length = 0;

    assert_true(kernel->n_pending < PENDING);
    text[0] = '\0';
    for (size_t i = 0; i < query->n_fields; i++) {
        const struct pd_field *field = &query->fields[i];

        if (field->text)
            length +=
                (size_t)snprintf(text + length, 160 - length, "%s=%s ", field->name, field->text);
        else
            length += (size_t)snprintf(text + length, 160 - length, "%s=%" PRIu64 " ", field->name,
                                       field->number);
    }
    kernel->ids[kernel->n_pending++] = query->id;
}

static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(1469598103934665603);

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash >> 12;
}

static void kernel_answer_one(struct mock *mock, uint64_t id, const char *query)
{
    struct kernel *kernel = mock->user;
    const char *answer = NO_WAY, *token;
    char text[400], gone[64] = "";

    if (kernel->gone)
        snprintf(gone, sizeof(gone), "=%s ", kernel->gone);
    if (!strncmp(query, "address=", 8)) {
        mock_signal(mock, "address", id,
                    gone[0] && strstr(query, gone) ? "on_host=0" : "on_host=1");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kernel->rules) && kernel->rules[i].match; i++) {
        if (strstr(query, kernel->rules[i].match)) {
            answer = kernel->rules[i].answer;
            break;
        }
    }
    snprintf(text, sizeof(text), "%s%s", answer,
             gone[0] && strstr(query, gone) ? " source_gone=1" : "");
    token = strstr(query, "token=");
    if (token && strtoull(token + 6, NULL, 10) == text_hash(text))
        snprintf(text, sizeof(text), "token=%" PRIu64, (uint64_t)strtoull(token + 6, NULL, 10));
    else
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " token=%" PRIu64,
                 text_hash(text));
    mock_signal(mock, "way-out", id, text);
}

/* Answers the oldest `count` questions. */
static void kernel_answer(struct mock *mock, size_t count)
{
    struct kernel *kernel = mock->user;

    while (count-- && kernel->n_pending) {
        char query[160];
        uint64_t id = kernel->ids[0];

        memcpy(query, kernel->queries[0], sizeof(query));
        kernel->n_pending--;
        memmove(kernel->ids, kernel->ids + 1, kernel->n_pending * sizeof(kernel->ids[0]));
        memmove(kernel->queries, kernel->queries + 1,
                kernel->n_pending * sizeof(kernel->queries[0]));
        kernel->answered++;
        kernel_answer_one(mock, id, query);
    }
}

static void kernel_answer_all(struct mock *mock)
{
    kernel_answer(mock, SIZE_MAX);
}

static void begin(struct mock *mock, struct kernel *kernel, const char *options)
{
    *mock = (struct mock){0};
    *kernel = (struct kernel){.rules = {{"", UP0}}};
    mock->on_query = kernel_query;
    mock->user = kernel;
    mock->turn.now_us = SECOND;
    assert_int_equal(mock_start(mock, &pathdog_trigger_route, options), 0);
}

static uint32_t peer_up(struct mock *mock, const char *name, const char *local, const char *remote)
{
    uint32_t peer = mock_peer_up(mock, name, local, remote);

    kernel_answer_all(mock);
    return peer;
}

static void changed(struct mock *mock)
{
    mock_signal(mock, "changed", 0, NULL);
    kernel_answer_all(mock);
}

static void flip(struct mock *mock, const char *way)
{
    struct kernel *kernel = mock->user;

    kernel->rules[0] = (struct rule){"", way};
    changed(mock);
}

/* The engine moved this connection. */
static void migrated(struct mock *mock, uint32_t peer, const char *local)
{
    mock->peers[peer].in_flight = false;
    if (local)
        mock_peer_set(mock, peer, local, mock->peers[peer].remote);
    mock_peer_change(mock, peer, PD_PEER_MIGRATED);
    kernel_answer_all(mock);
}

static void test_default_route_flip(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    peer_up(&mock, "b", NULL, "192.0.2.1:444");
    assert_int_equal(kernel.answered, 1); /* one key */
    changed(&mock);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.causes, 0);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(mock.advice[0].reason,
                        "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1");
    assert_string_equal(mock.advice[1].evidence,
                        "oif_before=up0 oif_after=up1 gateway_before=10.0.1.1 "
                        "gateway_after=10.0.2.1 source_before=10.0.1.2 source_after=10.0.2.2");
    assert_int_equal(mock.advice[0].cause, 1);
    assert_int_equal(mock.advice[1].cause, 1);
    assert_int_equal(mock.open_causes, 1);
    mock_time(&mock, 2 * SECOND); /* the window's end */
    assert_int_equal(mock.open_causes, 0);
    assert_int_equal(mock.timer_us, 0);
    mock_stop(&mock);
}

static void test_specific_route(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "10.9.0.1:443");
    flip(&mock, "oif=5 ifname=wg0 source=10.8.0.2 prefix=10.9.0.0/24");
    assert_string_equal(mock.advice[0].reason,
                        "route to 10.9.0.0/24 changed: up0 via 10.0.1.1 → wg0");
    mock_stop(&mock);
}

static void test_same_is_no_change(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    /* Another preferred source, another prefix. */
    flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.9 prefix=192.0.2.0/24");
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_source_gone(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel.gone = "10.0.1.2";
    flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.9 prefix=default");
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "source address 10.0.1.2 is gone: now 10.0.1.9 on up0 via 10.0.1.1");
    mock_time(&mock, 3 * SECOND);
    changed(&mock);
    assert_int_equal(mock.n_advice, 1); /* not twice */
    kernel.gone = NULL;
    mock_time(&mock, 4 * SECOND);
    flip(&mock, UP0);
    assert_int_equal(mock.peers[0].withdrawn, 1); /* there again */
    mock_stop(&mock);
}

static void test_local_gone_at_first_sight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    kernel.gone = "10.99.9.9";
    peer_up(&mock, "a", "10.99.9.9:4000", "192.0.2.1:443");
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "local address 10.99.9.9 is on no interface, way out is up0 via 10.0.1.1");
    mock_time(&mock, 3 * SECOND);
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    /* The node still names the old address after the move: believed no more. */
    migrated(&mock, 0, NULL);
    mock_time(&mock, 6 * SECOND);
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_local_lost_and_there_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    kernel.gone = "10.0.1.2";
    peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    assert_int_equal(mock.n_advice, 1);
    kernel.gone = NULL;
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_no_way_out(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    peer_up(&mock, "b", NULL, "192.0.2.2:443");
    flip(&mock, NO_WAY);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].what, "no-way-out");
    assert_string_equal(mock.notices[0].text, "no way out to 192.0.2.1 (ENETUNREACH) and 1 more, "
                                              "2 peers: nothing is asked until there is one");
    mock_time(&mock, SECOND + 20 * MS);
    changed(&mock);
    assert_int_equal(mock.n_notices, 1); /* said once */
    mock_time(&mock, SECOND + 40 * MS);
    flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 0); /* back to the same */
    mock_time(&mock, SECOND + 60 * MS);
    flip(&mock, "error=no-carrier");
    assert_int_equal(mock.n_notices, 2);
    mock_time(&mock, SECOND + 80 * MS);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_no_way_out_is_looked_up_every_10_ms(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, NO_WAY);
    kernel.answered = 0;
    for (uint64_t us = 0; us < 50 * MS; us += 500) {
        mock_time(&mock, SECOND + us);
        changed(&mock);
    }
    assert_in_range(kernel.answered, 4, 6 * 2); /* and the question for the source */
    /* An event within the 10 ms is not forgotten. */
    kernel.rules[0].answer = UP1;
    mock_time(&mock, SECOND + 70 * MS);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_no_way_out_at_first_sight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    kernel.rules[0].answer = NO_WAY;
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    assert_int_equal(mock.n_notices, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 0);
    flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_settle(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, UP1); /* at 1 s: at once */
    assert_int_equal(mock.n_advice, 1);
    migrated(&mock, 0, NULL);
    mock_time(&mock, SECOND + 300 * MS);
    flip(&mock, UP2);
    flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 1); /* within the window */
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason,
                        "default route flip: up1 via 10.0.2.1 → up0 via 10.0.1.1");
    assert_int_equal(mock.advice[1].cause, 1); /* the same cause, closed now */
    assert_int_equal(mock.open_causes, 0);
    migrated(&mock, 0, NULL);
    mock_time(&mock, 2 * SECOND + 500 * MS); /* it fired: another window */
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_time(&mock, 3 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.advice[2].cause, 2);
    migrated(&mock, 0, NULL);
    mock_time(&mock, 4 * SECOND);
    assert_int_equal(mock.timer_us, 0);
    flip(&mock, UP0); /* no window: at once */
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

static void test_there_and_back_within_the_window(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, UP1);
    migrated(&mock, 0, NULL);
    flip(&mock, UP0);
    flip(&mock, UP1);
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

static void test_without_settle(void **state)
{
    struct mock mock;
    struct kernel kernel;
    const char *const ways[] = {UP1, UP2, UP0, UP1};

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        flip(&mock, ways[i]);
        assert_int_equal(mock.n_advice, i + 1);
        assert_int_equal(mock.causes, i + 1);
        assert_int_equal(mock.open_causes, 0);
        migrated(&mock, 0, NULL);
    }
    mock_stop(&mock);
}

static void test_not_advised_twice(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, UP1);
    changed(&mock);
    mock_peer_change(&mock, 0, PD_PEER_TOLD); /* the node was down: the engine gives it again */
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    flip(&mock, UP2); /* another one is */
    assert_int_equal(mock.n_advice, 2);
    flip(&mock, UP1); /* and this one, then, again */
    assert_int_equal(mock.n_advice, 3);
    flip(&mock, UP0); /* what it uses: nothing, and what waits is taken back */
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

static void test_told_again_after_the_node_was_down(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel.rules[0].answer = UP1; /* and nobody said so */
    mock_peer_change(&mock, 0, PD_PEER_TOLD);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_in_flight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, UP1);
    mock.peers[0].in_flight = true;
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    flip(&mock, UP2); /* not what is being asked for: remembered by the engine */
    assert_int_equal(mock.n_advice, 2);
    flip(&mock, UP1); /* what is being asked for */
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    flip(&mock, UP0); /* where it came from: it is leaving that */
    assert_int_equal(mock.n_advice, 3);
    migrated(&mock, 0, NULL); /* it is on up1 now; up0 was remembered */
    assert_int_equal(mock.n_advice, 3);
    mock.peers[0].in_flight = true;
    migrated(&mock, 0, NULL);
    changed(&mock);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

static void test_migrated_compares_at_once(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    kernel.rules[0].answer = UP2; /* the event is still on its way */
    migrated(&mock, 0, "10.0.2.2:4001");
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason,
                        "default route flip: up1 via 10.0.2.1 → up2 via 10.0.3.1");
    mock_stop(&mock);
}

static void test_old_source_going_after_a_move_is_nothing(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    /* Looked up with its own source, the kernel names that one on any way. */
    kernel.rules[0].answer = "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.2 prefix=default";
    peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    flip(&mock, "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.1.2 prefix=default");
    assert_int_equal(mock.n_advice, 1);
    kernel.rules[0].answer = UP1;
    migrated(&mock, 0, "10.0.2.2:4001");
    kernel.gone = "10.0.1.2";
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel.gone = "10.0.2.2";
    flip(&mock, "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.2.9 prefix=default");
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_peer_path_sees_anew(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    mock_peer_set(&mock, 0, "10.0.2.2:4000", "192.0.2.1:443"); /* it went by itself */
    mock_peer_change(&mock, 0, PD_PEER_PATH);
    kernel_answer_all(&mock);
    changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_a_new_peer_in_the_window(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    flip(&mock, UP1);
    migrated(&mock, 0, NULL);
    mock_time(&mock, SECOND + 100 * MS);
    flip(&mock, UP2);
    peer_up(&mock, "b", NULL, "192.0.2.1:443"); /* dialled over up2 */
    assert_int_equal(mock.n_advice, 1);
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].peer, 0);
    mock_stop(&mock);
}

static void test_keys(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "mark=7");
    mock_node(&mock, 1000);
    mock_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    mock_peer_up(&mock, "b", NULL, "[2001:db8::1]:443");
    mock_peer_up(&mock, "c", NULL, "[fe80::1%up0]:443");
    mock_peer_up(&mock, "d", "[fd00::2]:4000", NULL);
    mock_peer_up(&mock, "e", NULL, NULL);
    mock_peer_up(&mock, "f", "0.0.0.0:4000", "192.0.2.1:443");
    assert_int_equal(kernel.n_pending, 6);
    assert_string_equal(kernel.queries[0],
                        "destination=192.0.2.1 source=10.0.1.2 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[1], "destination=2001:db8::1 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[2], "destination=fe80::1 interface=up0 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[3], "family=6 source=fd00::2 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[4], "family=0 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[5], "destination=192.0.2.1 uid=1000 mark=7 ");
    kernel_answer_all(&mock);
    /* A rule that looks at ports: they are told apart by them now. */
    mock_signal(&mock, "keys", 0, "ports=1");
    assert_int_equal(kernel.n_pending, 7); /* and whether the source is there */
    for (size_t i = 0; i < kernel.n_pending; i++)
        if (strstr(kernel.queries[i], "source=10.0.1.2"))
            assert_string_equal(kernel.queries[i], "destination=192.0.2.1 source=10.0.1.2 uid=1000 "
                                                   "mark=7 sport=4000 dport=443 ");
    kernel.rules[0] = (struct rule){"source=10.0.1.2 uid=1000 mark=7 sport=4000 dport=443", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1); /* what that rule says is a change */
    assert_int_equal(mock.advice[0].peer, 0);
    mock_stop(&mock);
}

static void test_both_families(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, "settle=0");
    peer_up(&mock, "a", NULL, NULL);
    flip(&mock, UP0 " also=up0+via+fe80::1"); /* a family more is no change */
    assert_int_equal(mock.n_advice, 0);
    flip(&mock, UP0 " also=up1+via+fe80::2");
    assert_int_equal(mock.n_advice, 1);
    migrated(&mock, 0, NULL);
    flip(&mock, UP0); /* a family less neither */
    assert_int_equal(mock.n_advice, 1);
    flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_slices_busiest_first(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char remote[32];

    begin(&mock, &kernel, NULL);
    mock.count_only = true;
    for (unsigned i = 0; i < 1000; i++) {
        struct pd_row row = mock_row();

        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 250, i % 250);
        peer_up(&mock, "p", NULL, remote);
        row.v[PD_IN_FLIGHT_BYTES] = i * 100;
        mock_sample(&mock, i, &row, true);
    }
    kernel.rules[0].answer = UP1;
    mock_signal(&mock, "changed", 0, NULL);
    assert_int_equal(kernel.n_pending, 256); /* a slice, no more */
    assert_non_null(strstr(kernel.queries[0], "192.0.3."));
    kernel_answer(&mock, 1);
    assert_int_equal(mock.n_advice, 1);
    assert_in_range(mock.timer_us, mock.turn.now_us + 1, mock.turn.now_us + 10 * SECOND);
    kernel_answer(&mock, 300);
    assert_true(kernel.n_pending <= 256);
    assert_int_equal(mock.n_advice, 301);
    for (uint32_t i = 900; i < 1000; i++)
        assert_int_equal(mock.peers[i].advised, 1);
    assert_int_equal(mock.peers[0].advised, 0);
    /* All of the round belongs to what opened the window, however late it answers. */
    mock_time(&mock, mock.turn.now_us + 1500 * MS);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1000);
    assert_int_equal(mock.causes, 1);
    mock_time(&mock, mock.turn.now_us + 3 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

static void test_events_during_a_round(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char remote[32];

    begin(&mock, &kernel, "settle=0");
    for (unsigned i = 0; i < 300; i++) {
        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 250, i % 250);
        peer_up(&mock, "p", NULL, remote);
    }
    mock_signal(&mock, "changed", 0, NULL);
    kernel_answer(&mock, 200); /* these say up0 */
    kernel.rules[0].answer = UP1;
    mock_signal(&mock, "changed", 0, NULL);
    kernel_answer_all(&mock);
    mock_time(&mock, mock.turn.now_us + SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 300);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(mock.peers[i].advised, 1);
    mock_stop(&mock);
}

static void test_lost_answers(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, NULL);
    peer_up(&mock, "a", NULL, "192.0.2.1:443");
    mock_signal(&mock, "changed", 0, NULL);
    uint64_t late = kernel.ids[0];

    assert_true(kernel.n_pending > 0);
    kernel.n_pending = 0; /* nobody answers */
    mock_time(&mock, 4 * SECOND);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].what, "route-lookups-lost");
    mock_signal(&mock, "way-out", late, UP2); /* too late: not believed */
    assert_int_equal(mock.n_advice, 0);
    kernel.rules[0].answer = UP1;
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_peers_come_and_go(void **state)
{
    struct mock mock;
    struct kernel kernel;
    uint32_t seed = 12345;
    bool up[64] = {false};
    char remote[32];

    begin(&mock, &kernel, "settle=0");
    mock.count_only = true;
    for (uint32_t i = 0; i < 64; i++) {
        mock_peer_up(&mock, "p", NULL, "192.0.2.1:443");
        up[i] = true;
    }
    for (unsigned round = 0; round < 20000; round++) {
        static const char *const ways[] = {UP0, UP1, UP2, NO_WAY};
        uint32_t peer;

        seed = seed * 1664525 + 1013904223;
        peer = seed >> 26;
        snprintf(remote, sizeof(remote), "192.0.2.%u:443", seed >> 10 & 7);
        switch (seed >> 20 & 7) {
        case 0:
        case 1:
            if (up[peer]) {
                mock_peer_down(&mock, peer);
                up[peer] = false;
            } else {
                up[mock_peer_up(&mock, "p", NULL, remote)] = true;
            }
            break;
        case 2:
            if (up[peer]) {
                mock_peer_set(&mock, peer, "10.0.1.2:1", remote);
                mock_peer_change(&mock, peer, seed & 1u << 15 ? PD_PEER_PATH : PD_PEER_MIGRATED);
            }
            break;
        case 3:
            if (up[peer])
                mock.peers[peer].in_flight = !mock.peers[peer].in_flight;
            break;
        case 4:
            kernel.rules[0].answer = ways[seed >> 13 & 3];
            mock_signal(&mock, "changed", 0, NULL);
            break;
        case 5:
            mock_signal(&mock, "keys", 0, seed & 1u << 14 ? "ports=1" : "ports=0");
            break;
        default:
            kernel_answer(&mock, seed >> 12 & 15);
            mock_time(&mock, mock.turn.now_us + (seed >> 8 & 4095));
        }
    }
    /* However that went: at rest on up0 and flipped, all of them are told. */
    for (uint32_t i = 0; i < 64; i++) {
        mock.peers[i].in_flight = false;
        if (!up[i])
            up[mock_peer_up(&mock, "p", NULL, remote)] = true;
    }
    kernel.rules[0].answer = UP0;
    for (uint32_t i = 0; i < 64; i++)
        mock_peer_change(&mock, i, PD_PEER_MIGRATED);
    for (int i = 0; i < 4; i++) {
        mock_time(&mock, mock.turn.now_us + 3 * SECOND);
        changed(&mock);
    }
    for (uint32_t i = 0; i < 64; i++) {
        mock_peer_change(&mock, i, PD_PEER_PATH);
        mock_peer_change(&mock, i, PD_PEER_PATH);
    }
    for (int i = 0; i < 4; i++) {
        mock_time(&mock, mock.turn.now_us + SECOND);
        changed(&mock);
    }
    for (uint32_t i = 0; i < 64; i++)
        mock.peers[i].advised = 0;
    flip(&mock, UP1);
    mock_time(&mock, mock.turn.now_us + SECOND); /* after the pause of a long round */
    kernel_answer_all(&mock);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(mock.peers[i].advised, 1);
    for (uint32_t i = 0; i < 64; i++)
        mock_peer_down(&mock, i);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

static void test_state_is_small(void **state)
{
    assert_true(pathdog_trigger_route.peer_size <= 40);
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The bound is generous: the host of this test does little, but runs anywhere. */
static void test_fan_out(void **state)
{
    struct mock mock;
    struct kernel kernel;
    uint64_t took_ns;

    begin(&mock, &kernel, "settle=0");
    mock.count_only = true;
    for (unsigned i = 0; i < 100000; i++) {
        /* Only one slot is looked for: the next. */
        if (i >= mock.n_peers || mock.peers[i].up) {
            uint32_t wanted = mock.n_peers ? mock.n_peers : 131072;

            mock.peers = memory_check(reallocarray(mock.peers, wanted, sizeof(*mock.peers)));
            memset(mock.peers, 0, wanted * sizeof(*mock.peers));
            mock.n_peers = wanted;
        }
        struct mock_peer *peer = &mock.peers[i];

        peer->up = true;
        peer->state = memory_new(1, pathdog_trigger_route.peer_size);
        peer->peer.index = i;
        mock_peer_set(&mock, i, NULL, "192.0.2.1:443");
        mock_peer_change(&mock, i, PD_PEER_UP);
        kernel_answer_all(&mock);
    }
    kernel.rules[0].answer = UP1;
    took_ns = clock_ns();
    changed(&mock);
    took_ns = clock_ns() - took_ns;
    assert_int_equal(mock.n_advice, 100000);
    print_message("advice for 100000 peers: %" PRIu64 " ns each\n", took_ns / 100000);
    assert_true(took_ns / 100000 < 1000);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_route_flip),
        cmocka_unit_test(test_specific_route),
        cmocka_unit_test(test_same_is_no_change),
        cmocka_unit_test(test_source_gone),
        cmocka_unit_test(test_local_gone_at_first_sight),
        cmocka_unit_test(test_local_lost_and_there_again),
        cmocka_unit_test(test_no_way_out),
        cmocka_unit_test(test_no_way_out_is_looked_up_every_10_ms),
        cmocka_unit_test(test_no_way_out_at_first_sight),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_there_and_back_within_the_window),
        cmocka_unit_test(test_without_settle),
        cmocka_unit_test(test_not_advised_twice),
        cmocka_unit_test(test_told_again_after_the_node_was_down),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_migrated_compares_at_once),
        cmocka_unit_test(test_old_source_going_after_a_move_is_nothing),
        cmocka_unit_test(test_peer_path_sees_anew),
        cmocka_unit_test(test_a_new_peer_in_the_window),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_slices_busiest_first),
        cmocka_unit_test(test_events_during_a_round),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_peers_come_and_go),
        cmocka_unit_test(test_state_is_small),
        cmocka_unit_test(test_fan_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
