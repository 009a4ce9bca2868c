/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/probe.c: one question, and all that may come instead of its answer. */
#include "relay-rig.h"

#include "relay/probe.h"

#include "util/clock.h"
#include "util/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct lab {
    struct rig *rig;
    struct answerer relay;
    struct probe probe;
    struct probe_kind kind;
    unsigned n_asked, n_done, n_read;
};

static size_t lab_ask(struct probe *probe, uint8_t *out)
{
    struct lab *lab = CONTAINER_OF(probe, struct lab, probe);

    memcpy(out, "ask", 3);
    out[3] = (uint8_t)('0' + ++lab->n_asked);
    return 4;
}

static enum probe_read lab_read(struct probe *probe, const uint8_t *bytes, size_t length,
                                const char **ret_why)
{
    CONTAINER_OF(probe, struct lab, probe)->n_read++;
    if (length == 3 && !memcmp(bytes, "yes", 3))
        return PROBE_ANSWERED;
    *ret_why = length == 2 && !memcmp(bytes, "no", 2) ? "it says no" : "it is rubbish";
    return length == 2 ? PROBE_REFUSED : PROBE_GARBAGE;
}

static void lab_done(struct probe *probe)
{
    CONTAINER_OF(probe, struct lab, probe)->n_done++;
}

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab->rig = rig_new();
    lab->kind = (struct probe_kind){lab_ask, lab_read, lab_done, 3000000, 1};
    answerer_begin(lab->rig, &lab->relay, AF_INET);
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    probe_stop(&lab->probe);
    answerer_end(&lab->relay);
    rig_free(lab->rig);
    free(lab);
    return 0;
}

static struct pd_address address_of(const struct answerer *answerer)
{
    struct pd_address address = {.port = ntohs(answerer->self.sin6_port)};

    address.family = answerer->self.sin6_family == AF_INET ? 4 : 6;
    if (address.family == 4)
        memcpy(address.bytes, &((const struct sockaddr_in *)&answerer->self)->sin_addr, 4);
    else
        memcpy(address.bytes, &answerer->self.sin6_addr, 16);
    return address;
}

static bool is_done(void *user)
{
    return ((const struct lab *)user)->n_done > 0;
}

static void ask(struct lab *lab)
{
    struct pd_address address = address_of(&lab->relay);

    lab->n_done = 0;
    assert_int_equal(probe_start(&lab->probe, lab->rig->host.loop, &lab->kind, &address), 0);
    assert_int_equal(lab->n_done, 0);
    rig_wait_for(lab->rig, is_done, lab);
    assert_int_equal(lab->n_done, 1);
    assert_null(lab->probe.io); /* nobody listens any more */
}

static void answer_yes(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                       const uint8_t *bytes, size_t length)
{
    answerer_send(answerer, from, n_from, "yes", 3);
    answerer_send(answerer, from, n_from, "yes", 3); /* twice: one answer */
}

static void test_an_answer(void **state)
{
    struct lab *lab = *state;
    uint64_t before_us = clock_us(CLOCK_MONOTONIC);

    lab->relay.answer = answer_yes;
    ask(lab);
    assert_true(lab->probe.rtt_ns > 0);
    assert_true(lab->probe.rtt_ns / 1000 <= clock_us(CLOCK_MONOTONIC) - before_us);
    assert_string_equal(lab->probe.why, "");
    assert_memory_equal(lab->relay.last, "ask1", 4);
    assert_int_equal(lab->n_read, 1);
    rig_run(lab->rig, 20000);
    assert_int_equal(lab->n_done, 1);
}

static void test_ipv6(void **state)
{
    struct lab *lab = *state;

    answerer_end(&lab->relay);
    lab->relay = (struct answerer){.answer = answer_yes};
    answerer_begin(lab->rig, &lab->relay, AF_INET6);
    ask(lab);
    assert_true(lab->probe.rtt_ns != PROBE_NO_RTT);
}

/*
 * The kernel takes the time of arrival as long as a socket wants it, but begins and ends with that
 * some time after the first came or the last went: a socket that is held open, and the wait until
 * a datagram that lay in it for 20 ms has the time at which it came.
 */
static int arrival_times_begin(void)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } self = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n_self = sizeof(self.in);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    uint64_t before_us = 0, came_us = UINT64_MAX;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, &self.any, n_self), 0);
    assert_int_equal(getsockname(fd, &self.any, &n_self), 0);
    for (int i = 0; i < 500 && came_us > before_us; i++) {
        char byte = 0;
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec part = {&byte, 1};
        struct msghdr header = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control),
        };
        struct timespec came;

        assert_int_equal(sendto(fd, "x", 1, 0, &self.any, n_self), 1);
        usleep(10000);
        before_us = clock_us(CLOCK_REALTIME);
        usleep(10000);
        assert_int_equal(recvmsg(fd, &header, 0), 1);
        assert_non_null(CMSG_FIRSTHDR(&header));
        memcpy(&came, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(came));
        came_us = (uint64_t)came.tv_sec * 1000000 + (uint64_t)came.tv_nsec / 1000;
    }
    assert_true(came_us <= before_us);
    return fd;
}

/* The loop is busy when the answer comes: the kernel knows when that was. */
static void answer_and_be_busy(struct answerer *answerer, const struct sockaddr *from,
                               socklen_t n_from, const uint8_t *bytes, size_t length)
{
    answer_yes(answerer, from, n_from, bytes, length);
    *(uint64_t *)answerer->user = clock_us(CLOCK_MONOTONIC);
    usleep(1000000);
}

static void test_a_busy_loop_is_not_the_relays_fault(void **state)
{
    struct lab *lab = *state;
    int fd = arrival_times_begin();
    uint64_t before_us = clock_us(CLOCK_MONOTONIC), answered_us = 0;

    lab->relay.answer = answer_and_be_busy;
    lab->relay.user = &answered_us;
    ask(lab);
    assert_true(lab->probe.rtt_ns / 1000 < answered_us - before_us + 500000);
    close(fd);
}

/* Nor where its time was over meanwhile. */
static void test_an_answer_that_waits_for_the_loop(void **state)
{
    struct lab *lab = *state;
    uint64_t answered_us;

    lab->relay.answer = answer_and_be_busy;
    lab->relay.user = &answered_us;
    lab->kind.wait_us = 500000;
    lab->kind.tries = 1;
    ask(lab);
    assert_string_equal(lab->probe.why, "");
    assert_true(lab->probe.rtt_ns != PROBE_NO_RTT);
}

static void test_silence(void **state)
{
    struct lab *lab = *state;

    lab->kind.wait_us = 50000;
    ask(lab);
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    assert_string_equal(lab->probe.why, "no answer for 50 ms");
    lab->kind.tries = 3;
    ask(lab);
    assert_string_equal(lab->probe.why, "no answer to 3 tries, for 50 ms each");
    assert_int_equal(lab->n_asked, 4);
    rig_wait_asked(lab->rig, &lab->relay, 4); /* what the kernel holds still */
    assert_int_equal(lab->relay.n, 4);
    assert_memory_equal(lab->relay.last, "ask4", 4);
}

/* The answer to the first try comes after the second was sent, from where it may: it is late, and
 * not the answer to the second. */
static void answer_the_one_before(struct answerer *answerer, const struct sockaddr *from,
                                  socklen_t n_from, const uint8_t *bytes, size_t length)
{
    if (bytes[3] == '2')
        answerer_send(answerer, (const struct sockaddr *)&answerer->froms[0], n_from, "yes", 3);
}

static void test_a_late_answer_is_none(void **state)
{
    struct lab *lab = *state;

    lab->kind.wait_us = 100000;
    lab->kind.tries = 2;
    lab->relay.answer = answer_the_one_before;
    ask(lab);
    rig_wait_asked(lab->rig, &lab->relay, 2);
    assert_int_equal(lab->relay.n, 2);
    assert_true(lab->relay.froms[0].sin6_port != lab->relay.froms[1].sin6_port);
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    assert_int_equal(lab->n_read, 0);
}

static void answer_from_elsewhere(struct answerer *answerer, const struct sockaddr *from,
                                  socklen_t n_from, const uint8_t *bytes, size_t length)
{
    answerer_send(answerer->user, from, n_from, "yes", 3);
}

static void test_from_another_address(void **state)
{
    struct lab *lab = *state;
    struct answerer other = {0};

    answerer_begin(lab->rig, &other, AF_INET);
    lab->relay.answer = answer_from_elsewhere;
    lab->relay.user = &other;
    lab->kind.wait_us = 100000;
    ask(lab);
    rig_wait_asked(lab->rig, &lab->relay, 1);
    assert_int_equal(lab->relay.n, 1);
    assert_int_equal(lab->n_read, 0); /* the kernel dropped it */
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    answerer_end(&other);
}

static void answer_rubbish_first(struct answerer *answerer, const struct sockaddr *from,
                                 socklen_t n_from, const uint8_t *bytes, size_t length)
{
    static const uint8_t long_one[1400];

    answerer_send(answerer, from, n_from, "", 0);
    answerer_send(answerer, from, n_from, long_one, sizeof(long_one));
    answerer_send(answerer, from, n_from, "yes", 3);
}

static void test_rubbish_before_the_answer(void **state)
{
    struct lab *lab = *state;

    lab->relay.answer = answer_rubbish_first;
    ask(lab);
    assert_true(lab->probe.rtt_ns != PROBE_NO_RTT);
    assert_int_equal(lab->probe.n_garbage, 2);
    assert_string_equal(lab->probe.why, "");
}

static void answer_rubbish(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                           const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < 5000; i++)
        answerer_send(answerer, from, n_from, "rubbish", 7);
}

static void test_a_flood_of_rubbish(void **state)
{
    struct lab *lab = *state;

    lab->relay.answer = answer_rubbish;
    lab->kind.wait_us = 30000000; /* it is over before: whoever floods is not listened to */
    ask(lab);
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    assert_int_equal(lab->n_read, 64);
    assert_string_equal(lab->probe.why, "what came was no answer: it is rubbish");
}

static void answer_no(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                      const uint8_t *bytes, size_t length)
{
    answerer_send(answerer, from, n_from, "no", 2);
}

static void test_refused_by_word(void **state)
{
    struct lab *lab = *state;

    lab->relay.answer = answer_no;
    ask(lab);
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    assert_string_equal(lab->probe.why, "it says no");
    assert_int_equal(lab->probe.error, 0);
}

static void test_refused_by_icmp(void **state)
{
    struct lab *lab = *state;
    struct pd_address address = address_of(&lab->relay);

    answerer_end(&lab->relay); /* the port is closed */
    lab->kind.tries = 5;
    assert_int_equal(probe_start(&lab->probe, lab->rig->host.loop, &lab->kind, &address), 0);
    rig_wait_for(lab->rig, is_done, lab);
    assert_true(lab->probe.rtt_ns == PROBE_NO_RTT);
    assert_int_equal(lab->probe.error, -ECONNREFUSED);
    assert_string_equal(lab->probe.why, "refused: Connection refused");
    assert_int_equal(lab->n_asked, 1);
    answerer_begin(lab->rig, &lab->relay, AF_INET);
}

/* What fails in the call is told from the loop, too. */
static void test_an_address_that_cannot_be_asked(void **state)
{
    struct lab *lab = *state;
    struct pd_address address = {.family = 4, .bytes = {255, 255, 255, 255}, .port = 9};

    assert_int_equal(probe_start(&lab->probe, lab->rig->host.loop, &lab->kind, &address), 0);
    assert_int_equal(lab->n_done, 0);
    rig_wait_for(lab->rig, is_done, lab);
    assert_true(lab->probe.error < 0);
    assert_non_null(strstr(lab->probe.why, "connect: "));
    probe_notice(&lab->probe, &lab->rig->host);
    assert_int_equal(lab->rig->n_notices, lab->probe.error == -EACCES);
}

static void test_what_a_sandbox_forbids_is_said(void **state)
{
    struct lab *lab = *state;

    lab->probe = (struct probe){.error = -EAFNOSUPPORT, .why = "socket: Address family"};
    probe_notice(&lab->probe, &lab->rig->host);
    assert_int_equal(lab->rig->n_notices, 1);
    assert_memory_equal(lab->rig->notices[0], "4 relay-probe: cannot probe (socket: Address", 44);
    assert_non_null(strstr(lab->rig->notices[0], "RestrictAddressFamilies=AF_INET AF_INET6"));
    lab->probe.error = -ECONNREFUSED;
    probe_notice(&lab->probe, &lab->rig->host);
    assert_int_equal(lab->rig->n_notices, 1);
}

static void test_stopped(void **state)
{
    struct lab *lab = *state;
    struct pd_address address = address_of(&lab->relay);

    lab->relay.answer = answer_yes;
    assert_int_equal(probe_start(&lab->probe, lab->rig->host.loop, &lab->kind, &address), 0);
    probe_stop(&lab->probe);
    probe_stop(&lab->probe);
    rig_wait_asked(lab->rig, &lab->relay, 1);
    rig_run(lab->rig, 50000);
    assert_int_equal(lab->n_done, 0);
    assert_int_equal(lab->relay.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_ipv6, begin, end),
        cmocka_unit_test_setup_teardown(test_a_busy_loop_is_not_the_relays_fault, begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_that_waits_for_the_loop, begin, end),
        cmocka_unit_test_setup_teardown(test_silence, begin, end),
        cmocka_unit_test_setup_teardown(test_a_late_answer_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_from_another_address, begin, end),
        cmocka_unit_test_setup_teardown(test_rubbish_before_the_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_a_flood_of_rubbish, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_by_word, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_by_icmp, begin, end),
        cmocka_unit_test_setup_teardown(test_an_address_that_cannot_be_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_what_a_sandbox_forbids_is_said, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
