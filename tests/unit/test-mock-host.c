/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mock-host.c: what it says of a row is what pathdog says of it. A thousand rows at random
 * go to both, with all that begins the ages anew.
 */
#include "engine-lab.h"

#include <pathdog/mock-host.h>

#include "engine/peers/peer.h"

static struct pd_sample said; /* the last that the mock host gave */

static int keep_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    said = *sample;
    return 0;
}

static const struct pd_trigger keeper = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "keeper",
    .summary = "keeps the last sample",
    .sample = keep_sample,
};

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random % below;
}

/* Counters stand still, grow, or are missing; every now and then a stretch without progress. */
static void draw_row(uint64_t *random, struct pd_row *row)
{
    static uint64_t samples, sent, received, acked;
    bool dead = draw(random, 4) > 0;

    *row = mock_row();
    samples += !dead && draw(random, 2);
    received += !dead && draw(random, 2) ? 100 : 0;
    sent += draw(random, 3) == 0 ? 100 : 0;
    row->v[PD_SRTT_US] = 10000 + samples;
    if (draw(random, 8))
        row->v[PD_RTT_SAMPLES] = samples;
    if (draw(random, 8))
        row->v[PD_BYTES_RECEIVED] = received;
    if (draw(random, 8))
        row->v[PD_BYTES_SENT] = sent;
    if (draw(random, 8))
        row->v[PD_IN_FLIGHT_BYTES] = draw(random, 4) ? 1200 : 0;
    if (draw(random, 2))
        row->v[PD_PTO_COUNT] = draw(random, 4) == 0;
    if (draw(random, 3) == 0)
        row->v[PD_SILENT_MS] = draw(random, dead ? 100000 : 1000);
    if (draw(random, 3) == 0)
        row->v[PD_UNACKED_MS] = draw(random, 2) ? draw(random, 10000) : 0;
    if (draw(random, 4) == 0)
        row->v[PD_UNACKED_BYTES] = draw(random, 2) ? 1200 : 0;
    acked += !dead && draw(random, 2) ? 1000 : 0;
    if (draw(random, 2))
        row->v[PD_ACKED_BYTES] = acked;
    if (draw(random, 4) == 0)
        row->v[PD_PTO_US] = draw(random, 500000);
}

static void give_both(struct lab *lab, struct mock *mock, const struct pd_row *row, bool fast)
{
    struct sample_row given = {.conn = 17, .row = *row};
    const struct pd_sample *sample = &lab->poke.sample;

    lab->engine->polls.open = ++lab->engine->polls.last;
    lab->engine->polls.open_all = !fast;
    lab_event(lab,
              &(struct event){.type = EVENT_SAMPLES,
                              .samples = {.columns = UINT32_MAX, .rows = &given, .n_rows = 1}});
    mock_time(mock, lab->now_us);
    mock->fast_polls = fast;
    mock_sample(mock, 0, row, sample->fresh);
    assert_int_equal(said.heard, sample->heard);
    assert_int_equal(said.acknowledged, sample->acknowledged);
    assert_int_equal(said.one_way, sample->one_way);
    assert_int_equal(said.starved, sample->starved);
    assert_int_equal(said.application, sample->application);
    assert_int_equal(said.progress, sample->progress);
    assert_int_equal(said.starved_us, sample->starved_us);
    assert_int_equal(said.pto_us, sample->pto_us);
    assert_int_equal(said.in_flight, sample->in_flight);
    assert_int_equal(said.regular, sample->regular);
    assert_int_equal(said.last_look_us, sample->last_look_us);
    assert_int_equal(said.silent_us, sample->silent_us);
    assert_int_equal(said.stalled_us, sample->stalled_us);
    assert_int_equal(said.unacked_us, sample->unacked_us);
    assert_int_equal(said.outstanding_since_us, sample->outstanding_since_us);
    assert_int_equal(said.outstanding_rows, sample->outstanding_rows);
}

static void as_pathdog_says_it(void **state)
{
    struct lab *lab = *state;
    struct mock mock = {.turn.now_us = lab->now_us};
    uint64_t random = 0x9e3779b97f4a7c15u, outstanding = 0, regular = 0, one_way = 0, starved = 0;
    struct pd_row row;
    char local[32];

    lab_peer_up(lab, "a", 17);
    assert_int_equal(mock_start(&mock, &keeper, NULL), 0);
    mock_peer_up(&mock, "a", NULL, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        lab_time(lab, draw(&random, 10) ? 1 + draw(&random, 2 * SEC) : 0);
        if (draw(&random, 20) == 0) {
            snprintf(local, sizeof(local), "10.0.0.1:%u", 1000 + i);
            lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                           .peer_path = {.conn = 17, .local = local}});
            mock_peer_change(&mock, 0, PD_PEER_PATH);
        }
        mock.peers[0].in_flight = draw(&random, 20) == 0;
        peers_find(lab->engine, 17)->in_flight = mock.peers[0].in_flight;
        draw_row(&random, &row);
        give_both(lab, &mock, &row, draw(&random, 4) == 0);
        outstanding += said.outstanding_rows > 2;
        regular += said.regular;
        one_way += said.one_way;
        starved += said.starved;
    }
    peers_find(lab->engine, 17)->in_flight = false;
    /* It was worth comparing. */
    assert_true(one_way > 10 && starved > 10);
    assert_true(outstanding > 50 && regular > 100 && regular < 900);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LAB_TEST(as_pathdog_says_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
