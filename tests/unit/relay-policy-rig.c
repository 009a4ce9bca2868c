/* SPDX-License-Identifier: Apache-2.0 */
#include "relay-policy-rig.h"

/* The node obeys `via`, and leaves the list to others. */
static void node_obeys(struct mock *mock)
{
    mock_node(mock, 1000);
    mock_relays(mock, &(struct pd_relays){.obeys = true});
}

void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){.turn.now_us = 100 * SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_relay, options), 0);
    node_obeys(mock);
}

uint32_t add(struct mock *mock, const char *name)
{
    return mock_peer_up(mock, name, "10.0.0.2:5000", DIRECT);
}

uint32_t add_relayed(struct mock *mock, const char *name, const char *via)
{
    uint32_t peer = add(mock, name);

    mock_peer_via(mock, peer, via);
    return peer;
}

void row(struct mock *mock, uint32_t peer, uint64_t at_us, uint64_t received, uint64_t sent,
         uint64_t errors)
{
    struct pd_row r = mock_row();

    r.v[PD_BYTES_RECEIVED] = received;
    r.v[PD_BYTES_SENT] = sent;
    r.v[PD_IN_FLIGHT_BYTES] = 0;
    if (errors != PD_UNKNOWN)
        r.v[PD_SEND_ERRORS] = errors;
    mock_time(mock, at_us);
    mock_sample(mock, peer, &r, false);
}

uint64_t silent_until_advised(struct mock *mock, uint32_t peer, uint64_t from_us, uint64_t most_us)
{
    size_t before = mock->n_advice;

    for (uint64_t at_us = from_us; at_us <= from_us + most_us; at_us += 500 * MS) {
        row(mock, peer, at_us, 1000, at_us, PD_UNKNOWN);
        if (mock->n_advice != before)
            return at_us;
    }
    return 0;
}

const struct mock_advice *last(const struct mock *mock)
{
    assert_true(mock->n_advice > 0);
    return &mock->advice[mock->n_advice - 1];
}

const struct mock_query *last_query(const struct mock *mock)
{
    assert_true(mock->n_queries > 0);
    return &mock->queries[mock->n_queries - 1];
}

void follow(struct mock *mock, uint32_t peer, const char *via)
{
    mock_peer_via(mock, peer, via);
    mock_migrated(mock, peer, via, false);
}

bool told_of(struct mock *mock, size_t place, struct pd_relay_report *ret)
{
    *ret = (struct pd_relay_report){.rtt_ns = PD_UNKNOWN};
    return pathdog_trigger_relay.tell_relay(mock->turn.self, place, ret);
}

bool noticed(const struct mock *mock, const char *what)
{
    for (size_t i = 0; i < mock->n_notices; i++)
        if (!strcmp(mock->notices[i].what, what))
            return true;
    return false;
}
