/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random datagrams and times against a second, slow relay that is nothing but the rules: one list
 * of sessions, searched from the beginning. Both must always say the same. The seed is told.
 */
#include "relay-lab.h"

#define SESSIONS   64u
#define CIRCUITS   4u
#define PER_HOST   2u
#define TIMEOUT_US (20 * S)
#define TTL_US     (30 * S)
#define TIME_US    (50 * S)
#define DATA       2000u
#define STEPS      40000u

struct model_member {
    char name[8];
    uint64_t heard_us, told_us;
    size_t bytes;
    bool ended;
};

struct model_session {
    char id[4];
    unsigned n; /* 0: free */
    uint64_t opened_us, active_us;
    struct model_member members[2];
};

struct model {
    struct model_session sessions[SESSIONS];
    uint64_t unknown_us[256]; /* by address */
};

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

static void expire(struct model *model, uint64_t now_us)
{
    for (struct model_session *s = model->sessions; s < model->sessions + SESSIONS; s++) {
        if (s->n == 1 && now_us >= s->active_us + TTL_US)
            s->n = 0;
        if (s->n == 2 && (now_us >= s->active_us + TIMEOUT_US || now_us >= s->opened_us + TIME_US))
            s->n = 0;
    }
}

static struct model_member *find(struct model *model, const char *name, struct model_session **ret)
{
    for (struct model_session *s = model->sessions; s < model->sessions + SESSIONS; s++)
        for (unsigned i = 0; i < s->n; i++)
            if (!strcmp(s->members[i].name, name)) {
                *ret = s;
                return &s->members[i];
            }
    return NULL;
}

/* How many sessions with `n` members there are, of that address; 0: of all. */
static unsigned count(const struct model *model, unsigned n, char address)
{
    unsigned found = 0;

    for (const struct model_session *s = model->sessions; s < model->sessions + SESSIONS; s++)
        if (s->n == n)
            found += !address || s->members[0].name[0] == address ||
                     (n == 2 && s->members[1].name[0] == address);
    return found;
}

static const char *member_is(struct model_member *member, const char *name, uint64_t now_us)
{
    snprintf(member->name, sizeof(member->name), "%s", name);
    member->heard_us = now_us;
    return "ACK";
}

static const char *model_reg(struct model *model, const char *name, const char *id, uint64_t now_us)
{
    struct model_session *session = NULL, *unused = NULL;
    struct model_member *moves = NULL;

    for (struct model_session *s = model->sessions; s < model->sessions + SESSIONS; s++) {
        if (s->n && !strcmp(s->id, id))
            session = s;
        if (!s->n && !unused)
            unused = s;
    }
    for (unsigned i = 0; session && i < session->n; i++) {
        struct model_member *m = &session->members[i];

        if (m->name[0] == name[0] && now_us - m->heard_us >= 2 * S &&
            (!moves || m->heard_us < moves->heard_us))
            moves = m;
    }
    if (moves) {
        session->active_us = now_us;
        return member_is(moves, name, now_us);
    }
    if (!session) {
        if (count(model, 1, 0) >= 4 * CIRCUITS || count(model, 1, name[0]) >= 16)
            return "ERR:limit";
        *unused = (struct model_session){.n = 1, .active_us = now_us};
        snprintf(unused->id, sizeof(unused->id), "%s", id);
        return member_is(&unused->members[0], name, now_us);
    }
    if (session->n == 2)
        return "ERR:full";
    if (count(model, 2, 0) >= CIRCUITS || count(model, 2, name[0]) >= PER_HOST ||
        count(model, 2, session->members[0].name[0]) >= PER_HOST)
        return "ERR:limit";
    session->n = 2;
    session->opened_us = session->active_us = now_us;
    session->members[1] = (struct model_member){0};
    return member_is(&session->members[1], name, now_us);
}

/* A member of exactly one session at that address, and silent. */
static struct model_member *behind(struct model *model, const char *name, uint64_t now_us,
                                   struct model_session **ret)
{
    struct model_member *found = NULL;
    unsigned n = 0;

    for (struct model_session *s = model->sessions; s < model->sessions + SESSIONS; s++)
        for (unsigned i = 0; i < s->n; i++)
            if (s->members[i].name[0] == name[0]) {
                found = &s->members[i];
                *ret = s;
                n++;
            }
    if (n != 1 || now_us - found->heard_us < 2 * S)
        return NULL;
    snprintf(found->name, sizeof(found->name), "%s", name);
    return found;
}

static const char *model_data(struct model_session *session, struct model_member *member,
                              size_t size, uint64_t now_us)
{
    static char text[16];
    struct model_member *peer = &session->members[member == session->members];

    if (session->n == 1)
        return "";
    if (member->bytes + size > DATA)
        member->ended = true;
    if (member->ended) {
        if ((member->told_us && now_us - member->told_us < S) || size < 10)
            return "";
        member->told_us = now_us;
        return "ERR:limit";
    }
    member->bytes += size;
    session->active_us = now_us;
    snprintf(text, sizeof(text), "-> %s", peer->name);
    return text;
}

/* `id` is not NULL: REG:<id>, padded; else data of that size. */
static const char *model_receive(struct model *model, const char *name, const char *id, size_t size,
                                 uint64_t now_us)
{
    struct model_session *session = NULL;
    struct model_member *member;

    expire(model, now_us);
    member = find(model, name, &session);
    if (!member && id)
        return model_reg(model, name, id, now_us);
    if (!member)
        member = behind(model, name, now_us, &session);
    if (!member) {
        uint64_t *said_us = &model->unknown_us[(uint8_t)name[0]];

        if ((*said_us && now_us - *said_us < S) || size < 12)
            return "";
        *said_us = now_us;
        return "ERR:unknown";
    }
    member->heard_us = now_us;
    if (id && !strcmp(id, session->id)) {
        session->active_us = now_us;
        return "ACK";
    }
    return model_data(session, member, size, now_us);
}

static void both_say_the_same(void **state)
{
    struct relay_settings settings = lab_settings();
    uint64_t seed = 88172645463325252ull;
    char data[1024] = {0};

    settings.session_timeout_us = TIMEOUT_US;
    settings.reservation_ttl_us = TTL_US;
    settings.max_duration_us = TIME_US;
    settings.max_data_bytes = DATA;
    settings.max_circuits = CIRCUITS;
    settings.max_circuits_per_address = PER_HOST;
    for (unsigned round = 0; round < 8; round++) {
        struct model *model = calloc(1, sizeof(*model));
        unsigned seen[4] = {0};
        struct lab lab;

        lab_start(&lab, &settings);
        for (unsigned step = 0; step < STEPS; step++) {
            char name[8], id[4], text[64];
            const char *expected, *got;
            bool reg = random_next(&seed) % 3 == 0;
            size_t size =
                random_next(&seed) % 5 ? random_next(&seed) % 60 : random_next(&seed) % 1000;

            lab.now_us += random_next(&seed) % 40 ? 100000 + random_next(&seed) % 300000
                                                  : random_next(&seed) % (TTL_US + S);
            /* What is over counts until it has been looked at; here it is looked at. */
            for (unsigned i = 0; i < 5; i++)
                while (relay_tick(lab.relay, lab.now_us))
                    ;
            snprintf(name, sizeof(name), "%c:%u", (int)('a' + random_next(&seed) % (3 + round * 2)),
                     (unsigned)(1 + random_next(&seed) % 3));
            snprintf(id, sizeof(id), "%u", (unsigned)(random_next(&seed) % (5 + 4 * round)));
            if (reg) {
                size = (size_t)snprintf(text, sizeof(text), "REG:%s              ", id);
                expected = model_receive(model, name, id, size, lab.now_us);
                got = lab_say(&lab, name, text);
            } else {
                expected = model_receive(model, name, NULL, size, lab.now_us);
                got = lab_bytes(&lab, name, data, size);
            }
            if (strcmp(got, expected) != 0)
                fail_msg("round %u, step %u: %s %s: \"%s\", not \"%s\"", round, step, name,
                         reg ? text : "data", got, expected);
            seen[0] += !strcmp(got, "ACK");
            seen[1] += got[0] == '-';
            seen[2] += !strcmp(got, "ERR:full");
            seen[3] += !strcmp(got, "ERR:limit");
            if (step % 16 == 0) {
                expire(model, lab.now_us);
                assert_int_equal(relay_circuits(lab.relay), count(model, 2, 0));
                assert_int_equal(relay_pending(lab.relay), count(model, 1, 0));
            }
        }
        for (unsigned i = 0; i < 4; i++)
            assert_in_range(seen[i], 50, STEPS); /* it was about something */
        lab_stop(&lab);
        free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_say_the_same)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
