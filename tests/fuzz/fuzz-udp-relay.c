/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what comes to a relay: a byte says what happens (a datagram, a train, time, a list
 * of members), one who from and to which address, one how much of what follows is the payload. Must
 * hold after each: an answer is not longer than its question and goes back to who asked; what is
 * forwarded is whole datagrams and goes from a member of a session to the other one; the tables are
 * as large as at the start; what the views, the counters and the bounds say agrees.
 */
#include "fuzz.h"

#include "members.h"
#include "relay.h"
#include "util/utf8.h"

#define CIRCUITS    3u
#define PER_ADDRESS 2u
#define SESSIONS    (CIRCUITS * (1 + RELAY_PENDING_FACTOR))
#define MAX_DATA    300u
#define DATAGRAM    200u

struct fuzz {
    struct relay *relay;
    uint64_t now_us;
    size_t memory_bytes;
};

struct input {
    const uint8_t *at, *end;
};

static uint8_t take(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* A few addresses with a few ports, of both families, so that they meet. */
static struct endpoint endpoint_of(uint8_t which)
{
    struct endpoint endpoint = {.port = (uint16_t)(1000 + (which & 7))};

    if (which & 0x40) {
        endpoint.ip[0] = 0x20;
        endpoint.ip[15] = which >> 3 & 3;
        endpoint.scope = which & 0x20 ? 2 : 0;
    } else {
        memset(endpoint.ip + 10, 0xff, 2);
        endpoint.ip[12] = 127;
        endpoint.ip[15] = which >> 3 & 7;
    }
    return endpoint;
}

/* The session that has this member, before the datagram was handled. */
static bool session_with(const struct relay *relay, uint64_t now_us, const struct endpoint *member,
                         struct relay_session_view *ret, unsigned *ret_side)
{
    for (size_t cursor = 0; relay_session_next(relay, now_us, &cursor, ret);)
        for (unsigned i = 0; i < ret->n_members; i++)
            if (endpoint_equal(&ret->member[i].at, member)) {
                *ret_side = i;
                return true;
            }
    return false;
}

static void check_session(const struct relay_session_view *view, uint64_t now_us)
{
    MUST(view->n_members == (view->opened_us ? 2 : 1));
    MUST(view->id_size >= 1 && view->id_size <= RELAY_ID_MAX);
    MUST(view->registered_us <= now_us && view->active_us <= now_us && view->opened_us <= now_us);
    for (size_t i = 0, n; i < view->id_size; i += n) {
        n = utf8_length(view->id + i, (size_t)view->id_size - i);
        MUST(n);
    }
    for (unsigned i = 0; i < view->n_members; i++) {
        MUST(view->member[i].ended
                 ? view->member[i].bytes <= MAX_DATA && !view->member[i].left_bytes
                 : view->member[i].bytes + view->member[i].left_bytes == MAX_DATA);
        MUST(view->member[i].heard_us <= now_us);
    }
    MUST(view->n_members < 2 || !endpoint_equal(&view->member[0].at, &view->member[1].at));
}

/* Each endpoint is one member of one session; the bounds hold. */
static void check_all(struct fuzz *fuzz)
{
    struct endpoint seen[SESSIONS * 2];
    struct relay_session_view view;
    uint32_t circuits = 0, pending = 0;
    size_t n = 0;

    for (size_t cursor = 0; relay_session_next(fuzz->relay, fuzz->now_us, &cursor, &view);) {
        unsigned of_address = 0;

        check_session(&view, fuzz->now_us);
        circuits += view.n_members == 2;
        pending += view.n_members == 1;
        for (unsigned i = 0; i < view.n_members; i++) {
            for (size_t k = 0; k < n; k++) {
                MUST(!endpoint_equal(&seen[k], &view.member[i].at));
                of_address += ip_equal(&seen[k], &view.member[i].at);
            }
            MUST(n < SESSIONS * 2);
            seen[n++] = view.member[i].at;
        }
        MUST(of_address <= 2 * (RELAY_PENDING_PER_HOST + 2 * PER_ADDRESS));
    }
    MUST(circuits <= CIRCUITS && pending <= CIRCUITS * RELAY_PENDING_FACTOR);
    MUST(circuits == relay_circuits(fuzz->relay) && pending == relay_pending(fuzz->relay));
    MUST(relay_memory_bytes(fuzz->relay) == fuzz->memory_bytes);
    for (struct relay_event event; relay_event_next(fuzz->relay, &event);)
        MUST(event.kind < RELAY_EVENT_KINDS && event.reason < RELAY_REASONS &&
             event.id_size <= RELAY_ID_MAX && event.n_members <= 2 && event.at_us <= fuzz->now_us);
}

static void check_forward(const struct fuzz *fuzz, const struct endpoint *from, size_t handled,
                          const struct relay_out *out, uint64_t before_bytes)
{
    struct relay_session_view view;
    unsigned side = 0;

    MUST(session_with(fuzz->relay, fuzz->now_us, from, &view, &side) && view.n_members == 2);
    MUST(endpoint_equal(&view.member[!side].at, &out->to));
    MUST(ip_equal(&view.member[!side].asked, &out->from));
    MUST(view.active_us == fuzz->now_us && !view.member[side].ended);
    MUST(relay_count(fuzz->relay, RELAY_COUNT_FORWARDED_BYTES) == before_bytes + handled);
}

/* All of a train, one piece after the other. */
static void receive(struct fuzz *fuzz, const struct endpoint *from, const struct endpoint *to,
                    const uint8_t *payload, size_t size, size_t segment)
{
    size_t done = 0;

    do {
        size_t rest = size - done, first = segment && segment < rest ? segment : rest, handled;
        uint64_t bytes = relay_count(fuzz->relay, RELAY_COUNT_FORWARDED_BYTES);
        struct relay_out out = {0};
        /* What is read beyond it is seen by the sanitizer. */
        uint8_t *copy = malloc(rest ? rest : 1);

        MUST(copy);
        memcpy(copy, payload + done, rest);
        handled = relay_receive(fuzz->relay, fuzz->now_us, from, to, copy, rest, segment, &out);
        free(copy);
        MUST(handled <= rest &&
             (handled == rest || (segment && handled && handled % segment == 0)));
        MUST(handled >= first);
        switch (out.action) {
        case RELAY_FORWARD:
            MUST(first <= DATAGRAM);
            check_forward(fuzz, from, handled, &out, bytes);
            break;
        case RELAY_ANSWER:
            MUST(out.answer_size && out.answer_size <= RELAY_ANSWER_MAX && handled == first);
            MUST(out.answer_size <= first && out.answer[out.answer_size - 1] == '\n');
            MUST(endpoint_equal(&out.to, from) && ip_equal(&out.from, to));
            break;
        default:
            MUST(out.action == RELAY_DROP);
        }
        done += handled;
    } while (done < size);
    check_all(fuzz);
}

static void datagram(struct fuzz *fuzz, struct input *input, bool train)
{
    struct endpoint from = endpoint_of(take(input)), to = endpoint_of(take(input));
    size_t size = take(input), left, segment = train ? take(input) % 32 : 0;

    left = (size_t)(input->end - input->at);
    size = size < left ? size : left;
    receive(fuzz, &from, &to, input->at, size, segment);
    input->at += size;
}

static void list(struct fuzz *fuzz, struct input *input)
{
    size_t size = take(input), left = (size_t)(input->end - input->at);
    struct members *members;

    size = size < left ? size : left;
    members = members_parse((const char *)input->at, size);
    input->at += size;
    members_free(relay_members_set(fuzz->relay, size ? members : members_free(members)));
    check_all(fuzz);
}

/* As the clients do it, so that what follows meets open sessions. */
static void opened(struct fuzz *fuzz, struct input *input)
{
    struct endpoint a = endpoint_of(take(input)), b = endpoint_of(take(input)), to = endpoint_of(0);
    char text[] = "REG:0\n";

    text[4] = (char)('0' + take(input) % 4);
    receive(fuzz, &a, &to, (const uint8_t *)text, sizeof(text) - 1, 0);
    receive(fuzz, &b, &to, (const uint8_t *)text, sizeof(text) - 1, 0);
}

static void step(struct fuzz *fuzz, struct input *input)
{
    uint8_t what = take(input);

    switch (what & 7) {
    case 0:
    case 1:
    case 2:
        datagram(fuzz, input, false);
        break;
    case 3:
        datagram(fuzz, input, true);
        break;
    case 4:
        opened(fuzz, input);
        break;
    case 5:
        fuzz->now_us += UINT64_C(100000) << (what >> 3 & 7);
        break;
    case 6:
        for (unsigned i = 0; i < 4; i++)
            relay_tick(fuzz->relay, fuzz->now_us);
        check_all(fuzz);
        break;
    default:
        list(fuzz, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[16] = "a key of 16 byte";
    struct input input = {data, data + size};
    uint8_t how = take(&input);
    const struct relay_settings settings = {
        .session_timeout_us = 3000000,
        .max_data_bytes = MAX_DATA,
        .max_duration_us = how & 1 ? 10000000 : 0,
        .reservation_ttl_us = 5000000,
        .max_circuits = CIRCUITS,
        .max_circuits_per_address = PER_ADDRESS,
        .max_datagram_bytes = DATAGRAM,
        .rebind = how & 2 ? RELAY_REBIND_REGISTER : RELAY_REBIND_SAME_IP,
        .service = !(how & 4),
    };
    struct fuzz fuzz = {.relay = relay_new(&settings, key), .now_us = 1000000};

    MUST(fuzz.relay);
    fuzz.memory_bytes = relay_memory_bytes(fuzz.relay);
    while (input.at < input.end)
        step(&fuzz, &input);
    MUST((how & 4) == 0 || !relay_circuits(fuzz.relay));
    relay_free(fuzz.relay);
    return 0;
}
