/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves, through real sockets of the loopback; the file of the list of members; which
 * addresses are ours. */
#include "batch.h"
#include "members-file.h"
#include "own.h"
#include "relay-lab.h"
#include "wire.h"

#include <netinet/udp.h>
#include <sys/time.h>
#include <unistd.h>

struct pair {
    struct udp_socket out;
    int in, other; /* receive */
    struct relay_out to_in, to_other;
};

static int receiver(struct endpoint *ret)
{
    const struct timeval patience = {.tv_sec = 20};
    union wire_address address = {
        .v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t size = sizeof(address.v4);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), large = 4 << 20;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
    assert_int_equal(bind(fd, &address.any, size), 0);
    assert_int_equal(getsockname(fd, &address.any, &size), 0);
    wire_endpoint(&address, ret);
    return fd;
}

static void pair_open(struct pair *pair)
{
    *pair = (struct pair){.to_in.action = RELAY_FORWARD, .to_other.action = RELAY_FORWARD};
    pair->in = receiver(&pair->to_in.to);
    pair->other = receiver(&pair->to_other.to);
    assert_int_equal(ip_parse("127.0.0.1", &pair->to_in.from), 0);
    pair->to_other.from = pair->to_in.from;
    pair->out.family = AF_INET;
    pair->out.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    pair->out.gso = true;
}

static void pair_close(struct pair *pair)
{
    close(pair->in);
    close(pair->other);
    close(pair->out.fd);
}

static void expect(int fd, const char *text)
{
    char got[65536];
    ssize_t n = recv(fd, got, sizeof(got), 0);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, (size_t)n);
}

static void add(struct batch *batch, const struct pair *pair, const struct relay_out *out,
                const char *text, size_t segment)
{
    assert_true(batch_has_room(batch));
    batch_add(batch, &pair->out, out, text, strlen(text), segment);
}

static void fill(struct batch *batch, const struct pair *pair)
{
    add(batch, pair, &pair->to_in, "aaaa", 0);
    add(batch, pair, &pair->to_other, "x", 0);
    add(batch, pair, &pair->to_in, "bbbb", 0);
    add(batch, pair, &pair->to_in, "ccccddddee", 4);
    add(batch, pair, &pair->to_in, "ffff", 0); /* behind a shorter one: not of that train */
    add(batch, pair, &pair->to_in, "", 0);
    add(batch, pair, &pair->to_in, "gggg", 0);
    add(batch, pair, &pair->to_in, "longer", 0);
    add(batch, pair, &pair->to_other, "y", 0);
    add(batch, pair, &pair->to_in, "h", 0);
}

static void expect_filled(const struct pair *pair)
{
    static const char *const in[] = {"aaaa", "bbbb", "cccc", "dddd",   "ee",
                                     "ffff", "",     "gggg", "longer", "h"};

    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        expect(pair->in, in[i]);
    expect(pair->other, "x");
    expect(pair->other, "y");
}

static void trains_are_made_and_the_order_stays(void **state)
{
    struct batch *batch = batch_new();
    struct batch_counts counts = {0};
    struct pair pair;

    assert_non_null(batch);
    pair_open(&pair);
    fill(batch, &pair);
    batch_send(batch, &pair.out, &counts);
    expect_filled(&pair);
    assert_int_equal(counts.datagrams, 12);
    assert_int_equal(counts.errors, 0);
    assert_in_range(counts.trains, 2, 4);
    pair_close(&pair);
    batch_free(batch);
}

static void without_gso_each_goes_alone(void **state)
{
    struct batch *batch = batch_new();
    struct batch_counts counts = {0};
    struct pair pair;

    pair_open(&pair);
    pair.out.gso = false;
    fill(batch, &pair); /* one came as a train */
    batch_send(batch, &pair.out, &counts);
    expect_filled(&pair);
    assert_int_equal(counts.datagrams, 12);
    pair_close(&pair);
    batch_free(batch);
}

static void what_the_kernel_does_not_cut_is_sent_one_by_one(void **state)
{
    struct batch *batch = batch_new();
    struct batch_counts counts = {0};
    struct pair pair;
    int on = 1;

    pair_open(&pair);
    /* Without a checksum there is no GSO. */
    assert_int_equal(setsockopt(pair.out.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    fill(batch, &pair);
    batch_send(batch, &pair.out, &counts);
    expect_filled(&pair);
    assert_int_equal(counts.datagrams, 12);
    assert_int_equal(counts.errors, 0);
    assert_int_equal(counts.trains, 0);
    pair_close(&pair);
    batch_free(batch);
}

static void what_cannot_be_sent_is_counted_and_stops_nothing(void **state)
{
    struct batch *batch = batch_new();
    struct batch_counts counts = {0};
    struct relay_out nowhere;
    struct pair pair;

    pair_open(&pair);
    nowhere = pair.to_in;
    assert_int_equal(ip_parse("192.0.2.77", &nowhere.from), 0); /* no address of ours */
    add(batch, &pair, &pair.to_in, "before", 0);
    add(batch, &pair, &nowhere, "lost", 0);
    assert_int_equal(ip_parse("2001:db8::1", &nowhere.to), 0); /* of the other family */
    add(batch, &pair, &nowhere, "lost", 0);
    add(batch, &pair, &pair.to_in, "behind", 0);
    batch_send(batch, &pair.out, &counts);
    expect(pair.in, "before");
    expect(pair.in, "behind");
    assert_int_equal(counts.errors, 2);
    assert_int_equal(counts.datagrams, 2);
    pair_close(&pair);
    batch_free(batch);
}

static void a_batch_takes_as_many_as_it_says(void **state)
{
    struct batch *batch = batch_new();
    struct batch_counts counts = {0};
    struct relay_out answer;
    struct pair pair;
    unsigned n = 0;

    pair_open(&pair);
    answer = pair.to_in;
    answer.action = RELAY_ANSWER;
    answer.answer_size = 4;
    memcpy(answer.answer, "ACK\n", 4);
    for (; batch_has_room(batch); n++)
        batch_add(batch, &pair.out, &answer, "REG:x", 5, 0);
    assert_true(n >= 64);
    batch_send(batch, &pair.out, &counts);
    assert_int_equal(counts.datagrams, n);
    while (n--)
        expect(pair.in, "ACK\n");
    assert_true(batch_has_room(batch));
    pair_close(&pair);
    batch_free(batch);
}

/* ---- the list's file ---- */

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum members_look look(struct members_file *file, size_t *ret_entries)
{
    struct members *members;
    enum members_look result = members_file_look(file, &members);

    *ret_entries = members ? members_entries(members) : 0;
    members_free(members);
    return result;
}

static void a_list_is_taken_when_it_has_settled(void **state)
{
    char directory[] = "/tmp/udp-relay-XXXXXX", path[64], other[64];
    struct members_file file;
    size_t n;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/members", directory);
    snprintf(other, sizeof(other), "%s/other", directory);
    members_file_init(&file, path);
    assert_int_equal(look(&file, &n), MEMBERS_FAULT);
    assert_string_equal(file.fault, "No such file or directory");
    assert_int_equal(look(&file, &n), MEMBERS_SAME); /* said once */
    put(path, "10.0.0.1\n");
    assert_int_equal(look(&file, &n), MEMBERS_SAME); /* is it whole? */
    assert_int_equal(look(&file, &n), MEMBERS_NEW);
    assert_int_equal(n, 1);
    assert_string_equal(file.fault, "");
    assert_int_equal(look(&file, &n), MEMBERS_SAME);
    put(other, "10.0.0.1\n10.0.0.2\n");
    assert_int_equal(rename(other, path), 0);
    look(&file, &n);
    assert_int_equal(look(&file, &n), MEMBERS_NEW);
    assert_int_equal(n, 2);
    put(path, "10.0.0.1\n10.0.");
    look(&file, &n);
    assert_int_equal(look(&file, &n), MEMBERS_FAULT);
    assert_non_null(strstr(file.fault, "half written"));
    put(path, "# nobody\n");
    look(&file, &n);
    assert_int_equal(look(&file, &n), MEMBERS_FAULT);
    assert_string_equal(file.fault, "it has no entry");
    unlink(path);
    rmdir(directory);
}

static void a_list_that_is_there_at_the_start_is_taken_at_once(void **state)
{
    char path[] = "/tmp/udp-relay-XXXXXX";
    struct members_file file;
    size_t n;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    put(path, "10.0.0.0/8");
    members_file_init(&file, path);
    assert_int_equal(look(&file, &n), MEMBERS_NEW);
    assert_int_equal(n, 1);
    assert_int_equal(ftruncate(fd, (off_t)MEMBERS_TEXT_MAX + 1), 0);
    assert_int_equal(look(&file, &n), MEMBERS_FAULT);
    assert_string_equal(file.fault, "it is larger than 4 MiB");
    close(fd);
    unlink(path);
    members_file_init(&file, "/dev/zero");
    assert_int_equal(look(&file, &n), MEMBERS_FAULT);
    assert_string_equal(file.fault, "it is no regular file");
}

/* ---- ours ---- */

static void the_relays_own_addresses_are_known(void **state)
{
    struct endpoint any = {.port = 4433}, one, from;
    struct own own;

    own_init(&own, &any);
    assert_int_equal(ip_parse("127.0.0.77", &from), 0);
    from.port = 4433;
    assert_true(own_is(&own, &from, 0));
    assert_true(own_is(&own, &from, 1));
    from.port = 4434;
    assert_false(own_is(&own, &from, 2));
    assert_int_equal(ip_parse("192.0.2.77", &from), 0);
    from.port = 4433;
    assert_false(own_is(&own, &from, 3));
    assert_int_equal(ip_parse("127.0.0.1", &one), 0);
    one.port = 4433;
    own_init(&own, &one);
    assert_true(own_is(&own, &one, 0));
    assert_int_equal(ip_parse("127.0.0.2", &from), 0);
    from.port = 4433;
    assert_false(own_is(&own, &from, 0)); /* may be somebody else's there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_are_made_and_the_order_stays),
        cmocka_unit_test(without_gso_each_goes_alone),
        cmocka_unit_test(what_the_kernel_does_not_cut_is_sent_one_by_one),
        cmocka_unit_test(what_cannot_be_sent_is_counted_and_stops_nothing),
        cmocka_unit_test(a_batch_takes_as_many_as_it_says),
        cmocka_unit_test(a_list_is_taken_when_it_has_settled),
        cmocka_unit_test(a_list_that_is_there_at_the_start_is_taken_at_once),
        cmocka_unit_test(the_relays_own_addresses_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
