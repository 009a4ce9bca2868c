/* SPDX-License-Identifier: Apache-2.0 */
/* agree.c, the accepting end: which registration is kept, closed or told when the dialler asks for
 * the next. Sockets and frames are this test's. */
#include "node.h"

#include "check.h"

#define KEY   "00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff"

struct lab {
    struct node node;
    struct options options;
    struct relay_option relay;
    struct peer peer;
    struct conn conn;
    struct udp udps[16];
    struct registration registrations[16];
    unsigned n;
    char said[256]; /* the last frame */
    unsigned n_said;
};

static struct lab *lab_of(const struct node *node)
{
    return (struct lab *)((char *)node - offsetof(struct lab, node));
}

/* ---- what agree.c calls ---- */

int frame_append(struct conn *c, uint8_t type, const uint8_t *body, size_t len)
{
    struct lab *lab = lab_of(c->node);

    assert_int_equal(type, 'S');
    snprintf(lab->said, sizeof(lab->said), "%.*s", (int)len, (const char *)body);
    lab->n_said++;
    return 0;
}

const struct relay_option *relay_find(const struct options *options, const char *name)
{
    return strcmp(name, "home") ? NULL : &options->relays[0];
}

void relay_id_stand(char ret[static RELAY_ID_SIZE], const char *key, const char *relay,
                    uint64_t number)
{
    (void)ret, (void)key, (void)relay, (void)number;
    fail(); /* the dialler's */
}

struct stand *stand_new(struct node *node, const struct relay_option *relay)
{
    struct stand *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->node = node;
    s->relay = relay;
    s->next = node->stands;
    node->stands = s;
    return s;
}

void stand_open(struct stand *s)
{
    struct lab *lab = lab_of(s->node);

    assert_true(lab->n < 16);
    s->u = &lab->udps[lab->n];
    s->u->reg = &lab->registrations[lab->n++];
    s->u->reg->state = REGISTRATION_HELD;
}

/* ---- */

static int begin(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    lab->options.relays = &lab->relay;
    lab->options.n_relays = 1;
    snprintf(lab->relay.name, sizeof(lab->relay.name), "home");
    lab->node.options = &lab->options;
    lab->node.now_ns = 100 * NS_PER_S;
    lab->peer.node = &lab->node;
    lab->peer.live = &lab->conn;
    lab->conn.node = &lab->node;
    lab->conn.peer = &lab->peer;
    lab->conn.server = true;
    lab->conn.hello.relays = true;
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    for (struct stand *s = lab->node.stands, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(lab);
    return 0;
}

/* The dialler asks, and the turn ends. */
static void asked(struct lab *lab, const char *key, unsigned number)
{
    char body[256];
    int n = snprintf(body, sizeof(body), "{\"key\":\"%s\",\"relay\":\"home\",\"number\":%u}", key,
                     number);

    lab->said[0] = '\0';
    lab->n_said = 0;
    assert_int_equal(agree_asked(&lab->conn, (const uint8_t *)body, (size_t)n), 0);
    agree_turn(&lab->node);
}

static void is_told(const struct lab *lab, unsigned number)
{
    char said[128];

    snprintf(said, sizeof(said), "{\"relay\":\"home\",\"number\":%u,\"state\":\"registered\"}",
             number);
    assert_string_equal(lab->said, said);
    assert_int_equal(lab->n_said, 1);
}

static struct stand *stand_of(const struct lab *lab, const char *key, unsigned number)
{
    struct stand *s = lab->node.stands;

    while (s && (s->number != number || strcmp(s->key, key) != 0))
        s = s->next;
    assert_non_null(s);
    return s;
}

static void test_the_one_before_the_next_stays(void **state)
{
    struct lab *lab = *state;

    asked(lab, KEY, 0);
    is_told(lab, 0);
    asked(lab, KEY, 1);
    is_told(lab, 1);
    assert_int_equal(stand_of(lab, KEY, 0)->close_at_ns, 0);
    asked(lab, KEY, 2);
    is_told(lab, 2);
    assert_true(stand_of(lab, KEY, 0)->close_at_ns > lab->node.now_ns);
    assert_int_equal(stand_of(lab, KEY, 1)->close_at_ns, 0);
    assert_int_equal(lab->n, 3);
}

static void test_another_key_closes_all_of_the_one_before(void **state)
{
    struct lab *lab = *state;

    asked(lab, KEY, 0);
    asked(lab, KEY, 1);
    asked(lab, OTHER, 1);
    is_told(lab, 1);
    assert_true(stand_of(lab, KEY, 0)->close_at_ns && stand_of(lab, KEY, 1)->close_at_ns);
    assert_int_equal(stand_of(lab, OTHER, 1)->close_at_ns, 0);
}

static void test_asked_again_it_is_told_again(void **state)
{
    struct lab *lab = *state;

    asked(lab, KEY, 3);
    asked(lab, KEY, 3);
    is_told(lab, 3);
    assert_int_equal(lab->n, 1);
    stand_of(lab, KEY, 3)->number = 5; /* its address was another: it went on by itself */
    asked(lab, KEY, 4);
    is_told(lab, 5);
    assert_int_equal(lab->n, 1);
}

/* It is closed as soon as nobody uses it, and nothing is told of it: a dialler that goes back gets
 * the one that is there. */
static void test_one_that_is_being_closed_is_none(void **state)
{
    struct lab *lab = *state;

    asked(lab, KEY, 5);
    asked(lab, KEY, 9);
    assert_true(stand_of(lab, KEY, 5)->close_at_ns != 0);
    asked(lab, KEY, 5);
    is_told(lab, 9);
    assert_int_equal(lab->n, 2);
}

static void test_what_is_not_known_is_said(void **state)
{
    static const char body[] = "{\"key\":\"" KEY "\",\"relay\":\"away\",\"number\":7}";
    struct lab *lab = *state;

    assert_int_equal(agree_asked(&lab->conn, (const uint8_t *)body, sizeof(body) - 1), 0);
    assert_string_equal(lab->said, "{\"relay\":\"away\",\"number\":7,\"state\":\"unknown\"}");
    assert_int_equal(lab->n, 0);
}

static void test_there_is_an_end_of_them(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < 8; i++)
        asked(lab, KEY, 10 * i);
    is_told(lab, 70);
    asked(lab, KEY, 80);
    assert_non_null(strstr(lab->said, "no room for another registration"));
    assert_int_equal(lab->n, 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_the_one_before_the_next_stays),
        TEST(test_another_key_closes_all_of_the_one_before),
        TEST(test_asked_again_it_is_told_again),
        TEST(test_one_that_is_being_closed_is_none),
        TEST(test_what_is_not_known_is_said),
        TEST(test_there_is_an_end_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
