/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/direct.c: is a QUIC server there? */
#include "relay-rig.h"

#include "relay/direct.h"

#include "util/util.h"

#include <sys/socket.h>

struct lab {
    struct rig *rig;
    struct answerer peer;
    struct direct *direct;
};

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab->rig = rig_new();
    answerer_begin(lab->rig, &lab->peer, AF_INET);
    lab->direct = direct_new(&lab->rig->host, true);
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    direct_free(lab->direct);
    answerer_end(&lab->peer);
    rig_free(lab->rig);
    free(lab);
    return 0;
}

static void ask(struct lab *lab, uint64_t id, const char *address)
{
    const struct pd_field fields[] = {{"ask", "direct", 0},
                                      {"peer", NULL, 7},
                                      {"conn", NULL, 1000 + id},
                                      {"address", address, 0}};

    assert_int_equal(direct_ask(lab->direct, &(struct pd_query){id, fields, ARRAY_SIZE(fields)}),
                     0);
}

/* RFC 9000 §17.2.1, of any question with ids of up to 20 bytes. */
static size_t negotiate(const uint8_t *bytes, uint8_t *out)
{
    size_t n_dcid = bytes[5], n_scid = bytes[6 + n_dcid];
    uint8_t *at = out;

    *at++ = 0xaa;
    at = (uint8_t *)mempcpy(at, "\0\0\0\0", 4);
    *at++ = (uint8_t)n_scid;
    at = (uint8_t *)mempcpy(at, bytes + 7 + n_dcid, n_scid);
    *at++ = (uint8_t)n_dcid;
    at = (uint8_t *)mempcpy(at, bytes + 6, n_dcid);
    at = (uint8_t *)mempcpy(at, "\0\0\0\1", 4);
    return (size_t)(at - out);
}

static void answer_quic(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                        const uint8_t *bytes, size_t length)
{
    uint8_t out[64];

    if (length >= 1200 && bytes[0] & 0x80 && (bytes[1] & 0x0f) == 0x0a)
        answerer_send(answerer, from, n_from, out, negotiate(bytes, out));
}

static void answer_forged(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                          const uint8_t *bytes, size_t length)
{
    uint8_t out[64];
    size_t n = negotiate(bytes, out);

    out[10] ^= 1; /* another connection id */
    for (unsigned i = 0; i < 100; i++)
        answerer_send(answerer, from, n_from, out, n);
}

static void test_it_is_there(void **state)
{
    struct lab *lab = *state;

    lab->peer.answer = answer_quic;
    ask(lab, 3, lab->peer.text);
    assert_int_equal(lab->rig->n_signals, 0);
    rig_wait_signals(lab->rig, 1);
    assert_memory_equal(lab->rig->signals[0], "direct#3 peer=7;conn=1003;rtt_ns=", 33);
    assert_true(lab->peer.n_last >= 1200);
    ask(lab, 4, lab->peer.text); /* its place is free again */
    rig_wait_signals(lab->rig, 2);
    assert_memory_equal(lab->rig->signals[1], "direct#4 peer=7;conn=1004;rtt_ns=", 33);
}

static void test_nobody_is_there(void **state)
{
    struct lab *lab = *state;

    ask(lab, 1, lab->peer.text);
    rig_wait_signals(lab->rig, 1);
    assert_string_equal(lab->rig->signals[0], "direct#1 peer=7;conn=1001;error=no answer for 2 s;");
}

static void test_a_closed_port(void **state)
{
    struct lab *lab = *state;

    answerer_end(&lab->peer);
    ask(lab, 1, lab->peer.text);
    rig_wait_signals(lab->rig, 1);
    assert_string_equal(lab->rig->signals[0],
                        "direct#1 peer=7;conn=1001;error=refused: Connection refused;");
    answerer_begin(lab->rig, &lab->peer, AF_INET);
}

static void test_forged(void **state)
{
    struct lab *lab = *state;

    lab->peer.answer = answer_forged;
    ask(lab, 1, lab->peer.text);
    rig_wait_signals(lab->rig, 1);
    assert_string_equal(lab->rig->signals[0],
                        "direct#1 peer=7;conn=1001;error=what came was no answer: a Version "
                        "Negotiation with other connection ids;");
}

static void test_what_cannot_be_asked(void **state)
{
    static const char *const bad[] = {"",          "nowhere:1", "127.0.0.1", "127.0.0.1:0",
                                      "0.0.0.0:1", NULL};
    struct lab *lab = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ask(lab, i + 1, bad[i]);
        assert_int_equal(lab->rig->n_signals, i + 1);
        assert_non_null(strstr(lab->rig->signals[i], "error=no IP address and port;"));
    }
    direct_free(lab->direct);
    lab->direct = direct_new(&lab->rig->host, false);
    ask(lab, 50, lab->peer.text);
    assert_string_equal(lab->rig->signals[lab->rig->n_signals - 1],
                        "direct#50 peer=7;conn=1050;error=direct_probe is no;");
}

static void test_too_many(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 1; i <= DIRECT_MAX + 1; i++)
        ask(lab, i, lab->peer.text);
    assert_int_equal(lab->rig->n_signals, 1);
    assert_string_equal(lab->rig->signals[0],
                        "direct#65 peer=7;conn=1065;error=too many are asked already;");
    rig_wait_signals(lab->rig, DIRECT_MAX + 1);
    ask(lab, 100, lab->peer.text);
    assert_int_equal(lab->rig->n_signals, DIRECT_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_there, begin, end),
        cmocka_unit_test_setup_teardown(test_nobody_is_there, begin, end),
        cmocka_unit_test_setup_teardown(test_a_closed_port, begin, end),
        cmocka_unit_test_setup_teardown(test_forged, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_too_many, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
