/* SPDX-License-Identifier: Apache-2.0 */
/* The hash indices, through the table of peers, against a plain array. */
#include "choice.h"
#include "engine-lab.h"

#include "engine/peers/index.h"
#include "engine/peers/peer.h"

#define NAMES 400

static void at_random(void **state)
{
    struct lab *lab = *state;
    struct choice choice = choice_seeded(3);
    uint64_t conns[NAMES] = {0}, last = 0;
    char name[16];

    for (unsigned step = 0; step < 20000; step++) {
        size_t i = choose(&choice, NAMES);
        struct peer *peer;

        snprintf(name, sizeof(name), "n%zu", i);
        peer = peers_find_name(lab->engine, name);
        assert_int_equal(peer != NULL, conns[i] != 0);
        if (peer) {
            assert_int_equal(peer->view.conn, conns[i]);
            assert_ptr_equal(peers_find(lab->engine, conns[i]), peer);
        }
        if (conns[i] && choose(&choice, 2)) {
            lab_peer_down(lab, conns[i]);
            assert_null(peers_find(lab->engine, conns[i]));
            conns[i] = 0;
        } else if (!conns[i]) {
            conns[i] = ++last;
            lab_peer_up(lab, name, last);
        }
    }
    assert_true(lab->engine->peers.by_conn.capacity <= 4096);
    assert_true(lab->engine->peers.top <= NAMES);
}

static void hashes_differ(void **state)
{
    unsigned buckets[64] = {0};

    (void)state;
    for (uint64_t conn = 1; conn <= 6400; conn++)
        buckets[hash_conn(conn) % 64]++;
    for (size_t i = 0; i < 64; i++)
        assert_in_range(buckets[i], 50, 200);
    assert_int_not_equal(hash_name("a@b"), hash_name("b@a"));
    assert_int_equal(hash_name("a"), hash_name("a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(at_random),
        cmocka_unit_test(hashes_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
