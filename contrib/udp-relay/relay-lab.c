/* SPDX-License-Identifier: Apache-2.0 */
/* See relay-lab.h. */
#include "relay-lab.h"

struct relay_settings lab_settings(void)
{
    return (struct relay_settings){
        .session_timeout_us = 300 * S,
        .max_data_bytes = UINT64_C(1) << 30,
        .max_duration_us = 1800 * S,
        .reservation_ttl_us = 3600 * S,
        .max_circuits = 64,
        .max_circuits_per_address = 16,
        .max_datagram_bytes = RELAY_DATAGRAM_MOST,
        .rebind = RELAY_REBIND_SAME_IP,
        .service = true,
    };
}

void lab_start(struct lab *lab, const struct relay_settings *settings)
{
    static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const struct relay_settings usual = lab_settings();

    *lab = (struct lab){.relay = relay_new(settings ? settings : &usual, key), .now_us = 1000 * S};
    assert_non_null(lab->relay);
}

void lab_stop(struct lab *lab)
{
    lab->relay = relay_free(lab->relay);
}

static void tick(const struct lab *lab)
{
    while (relay_tick(lab->relay, lab->now_us))
        ;
}

void lab_wait(struct lab *lab, double seconds)
{
    uint64_t until_us = lab->now_us + (uint64_t)(seconds * 1e6);

    while (lab->now_us + S / 4 <= until_us) {
        lab->now_us += S / 4;
        tick(lab);
    }
    lab->now_us = until_us;
    tick(lab);
}

struct endpoint lab_client(const char *name)
{
    struct endpoint endpoint = {.port = (uint16_t)atoi(name + 2)};

    assert_int_equal(name[1], ':');
    assert_int_not_equal(endpoint.port, 0);
    if (name[0] < 'a')
        assert_int_equal(ip_parse("2001:db8::", &endpoint), 0);
    else
        assert_int_equal(ip_parse("10.0.0.0", &endpoint), 0);
    endpoint.ip[15] = (uint8_t)name[0];
    endpoint.port = (uint16_t)atoi(name + 2);
    return endpoint;
}

const char *lab_train(struct lab *lab, const char *client, const void *bytes, size_t size,
                      size_t segment, size_t *ret_done)
{
    static char text[RELAY_ANSWER_MAX + 32];
    struct endpoint from = lab_client(client), ours;
    size_t first = segment && segment < size ? segment : size;

    assert_int_equal(ip_parse(endpoint_is_ipv4(&from) ? "10.0.0.1" : "2001:db8::1", &ours), 0);
    memset(&lab->out, 0xee, sizeof(lab->out));
    *ret_done =
        relay_receive(lab->relay, lab->now_us, &from, &ours, bytes, size, segment, &lab->out);
    if (lab->out.action == RELAY_DROP) {
        assert_int_equal(*ret_done, first);
        return "";
    }
    assert_true(lab->out.action == RELAY_FORWARD || lab->out.action == RELAY_ANSWER);
    if (lab->out.action == RELAY_ANSWER) {
        assert_int_equal(*ret_done, first);
        assert_true(lab->out.answer_size <= first);
        assert_true(endpoint_equal(&lab->out.to, &from));
        assert_true(ip_equal(&lab->out.from, &ours));
        assert_int_equal(lab->out.answer[lab->out.answer_size - 1], '\n');
        snprintf(text, sizeof(text), "%.*s", lab->out.answer_size - 1, lab->out.answer);
        return text;
    }
    assert_int_equal(lab->out.from.ip[15], 1);
    assert_int_equal(endpoint_is_ipv4(&lab->out.from), endpoint_is_ipv4(&lab->out.to));
    snprintf(text, sizeof(text), "-> %c:%u", lab->out.to.ip[15], lab->out.to.port);
    return text;
}

const char *lab_bytes(struct lab *lab, const char *client, const void *bytes, size_t size)
{
    size_t done;
    const char *what = lab_train(lab, client, bytes, size, 0, &done);

    assert_int_equal(done, size);
    return what;
}

const char *lab_say(struct lab *lab, const char *client, const char *text)
{
    return lab_bytes(lab, client, text, strlen(text));
}

const char *lab_reg(struct lab *lab, const char *client, const char *id)
{
    char text[RELAY_ID_MAX + 32];

    snprintf(text, sizeof(text), "REG:%s           \n", id);
    return lab_say(lab, client, text);
}

void lab_open(struct lab *lab, const char *one, const char *other, const char *id)
{
    assert_string_equal(lab_reg(lab, one, id), "ACK");
    assert_string_equal(lab_reg(lab, other, id), "ACK");
}

const char *lab_lease(struct lab *lab, const char *client, const char *id)
{
    char text[RELAY_ID_MAX + 80];

    snprintf(text, sizeof(text), "LEASE:%-58s", id);
    return lab_say(lab, client, text);
}

void lab_list(struct lab *lab, const char *text)
{
    struct members *members = members_parse(text, strlen(text));

    assert_int_equal(members_bad(members), 0);
    members_free(relay_members_set(lab->relay, members));
}

bool lab_event(struct lab *lab, enum relay_event_kind kind, struct relay_event *ret)
{
    while (relay_event_next(lab->relay, ret))
        if (ret->kind == kind)
            return true;
    return false;
}
