/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/waiting.c: what pathdog is waiting for. */
#include <jansson.h>

#include "check.h"
#include "ctl/waiting.h"

static json_t *status(void)
{
    return json_pack("{s:{s:s,s:n},s:s,s:b,s:i,s:{s:i},s:{s:i,s:i,s:i},s:i,s:i,s:{s:[]}}", "node",
                     "state", "up", "silent_us", "mode", "active", "all_held", 0, "n_peers", 3,
                     "peers", "cooling", 0, "requests", "open", 0, "queued", 0, "waiting", 0,
                     "judged", 0, "remembered", 0, "uplinks", "unwell");
}

static void expect(json_t *of, const char *wanted)
{
    char *text = waiting_text(of);

    assert_string_equal(text, wanted);
    free(text);
    json_decref(of);
}

static json_t *with(json_t *of, const char *in, const char *name, json_t *value)
{
    json_object_set_new(in ? json_object_get(of, in) : of, name, value);
    return of;
}

static void for_nothing(void **state)
{
    expect(status(), "nothing: peers are polled, and moved if their path gets bad");
    expect(with(status(), NULL, "mode", json_string("observe")),
           "nothing: peers are polled, and none is moved");
    expect(with(status(), NULL, "n_peers", json_integer(0)), "the node's first peer");
}

static void for_the_node(void **state)
{
    expect(with(status(), "node", "state", json_string("down")),
           "the node, to which it connects again and again");
    expect(with(status(), "node", "state", json_string("snapshot")), "the node's first peer list");
    expect(with(status(), "node", "silent_us", json_integer(7)), "an answer of the node");
}

static void for_moves(void **state)
{
    json_t *of = status();

    with(of, "requests", "open", json_integer(1));
    with(of, "requests", "queued", json_integer(2));
    with(of, "requests", "waiting", json_integer(1));
    with(of, NULL, "judged", json_integer(3));
    with(of, NULL, "remembered", json_integer(1));
    with(of, "peers", "cooling", json_integer(4));
    expect(of, "the node's answers to 1 request; room for 2 queued requests; another attempt of 1 "
               "move; the effect of 3 moves; a time when 1 peer with advice may be moved; the end "
               "of the cool-down of 4 peers");
}

static void for_uplinks_and_operators(void **state)
{
    json_t *of = with(status(), NULL, "all_held", json_true());

    with(of, "uplinks", "unwell",
         json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "uplink", "a", "state", "held",
                   "uplink", "b", "state", "penalty", "uplink", "c", "state", "unproven", "uplink",
                   "d", "state", "no-carrier"));
    expect(of, "\"pathdogctl release --all\"; the release of uplink a; the end of the penalty of "
               "uplink b; proof that uplink c works; uplink d (no-carrier)");
    of = with(status(), NULL, "all_held", json_true());
    expect(with(of, NULL, "held_left_us", json_integer(5)), "the end of the hold of all peers");
}

/* Of another program, or an older one. */
static void for_what_it_does_not_know(void **state)
{
    expect(json_object(), "the node's first peer");
    expect(json_pack("{s:[],s:s,s:i}", "node", "requests", "x", "uplinks", 7),
           "the node's first peer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_nothing),
        cmocka_unit_test(for_the_node),
        cmocka_unit_test(for_moves),
        cmocka_unit_test(for_uplinks_and_operators),
        cmocka_unit_test(for_what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
