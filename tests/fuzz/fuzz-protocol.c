/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a node. Pieces are separated by NUL: one that begins with '!' is
 * something that pathdog does (s: summary, m: migrate, r: reconnect, p: probe,
 * P: probe_path, c: cancel of the last migrate or reconnect, t: time passes, o: connects
 * anew, e: does the next from within an event), any other is what the node says. Must hold: every
 * request, every look and every probe of a path is answered at most once and was asked, and a probe
 * of a path just once, whatever the node does, unless the connection goes before; names, numbers
 * and addresses are as the contract has them; what is written is lines of JSON.
 */
#include "fuzz.h"

#include <jansson.h>

#include "node/protocol.h"
#include "util/address.h"
#include "util/printable.h"

#define ASKED_MOST 4096
#define PROBE_MS   300

enum fate { NEVER, ASKED, ANSWERED };

struct fuzz {
    struct protocol *protocol;
    uint64_t now_us;
    uint8_t requests[ASKED_MOST];
    uint8_t looks[ASKED_MOST];
    uint8_t probes[ASKED_MOST];
    uint64_t n_requests, n_looks, n_probes;
    char within; /* an action for the next event */
};

static void act(struct fuzz *fuzz, char what)
{
    static const uint64_t conns[] = {1, 17, 18};
    union {
        struct text text;
        char room[sizeof(struct text) + 8];
    } why = {.text = {.refs = 1, .length = 4}};
    struct action action = {.type = ACTION_QUERY};

    memcpy(why.text.s, "a\"\xff\n", 4);
    if (fuzz->n_requests >= ASKED_MOST - 1 || fuzz->n_looks >= ASKED_MOST - 1 ||
        fuzz->n_probes >= ASKED_MOST - 1)
        return;
    if (what == 'm' || what == 'r') {
        action.type = what == 'm' ? ACTION_MIGRATE : ACTION_RECONNECT;
        action.move = (struct action_move){.request = ++fuzz->n_requests,
                                           .conn = 17,
                                           .timeout_ms = 5000,
                                           .reason = &why.text,
                                           .interface = "up1",
                                           .keep_old = what == 'r'};
        fuzz->requests[fuzz->n_requests] = protocol_is_up(fuzz->protocol) ? ASKED : NEVER;
    } else if (what == 's') {
        action.type = ACTION_SUMMARY;
        action.summary = (struct action_summary){++fuzz->n_looks, conns, 3};
        fuzz->looks[fuzz->n_looks] = protocol_is_up(fuzz->protocol) ? ASKED : NEVER;
    } else if (what == 'p') {
        action.type = ACTION_PROBE;
        action.probe = (struct action_probe){conns, 3};
    } else if (what == 'c' && fuzz->n_requests) {
        action.type = ACTION_CANCEL;
        action.cancel.request = fuzz->n_requests;
    } else if (what == 'P') {
        action.type = ACTION_PROBE_PATH;
        action.probe_path = (struct action_probe_path){++fuzz->n_probes, 17, "up\"1", PROBE_MS};
        fuzz->probes[fuzz->n_probes] = protocol_is_up(fuzz->protocol) ? ASKED : NEVER;
    }
    protocol_send(fuzz->protocol, fuzz->now_us, &action, 1);
}

static void check_relays(const struct event_relays *relays)
{
    MUST(relays->n <= RELAYS_MAX);
    MUST(!relays->key || (*relays->key && strlen(relays->key) <= 2 * (size_t)RELAY_KEY_MAX));
    for (size_t i = 0; i < relays->n; i++) {
        const struct pd_relay *relay = &relays->list[i];
        struct pd_address address;

        MUST(*relay->name && strlen(relay->name) <= 255 && strcmp(relay->name, "direct") != 0);
        MUST(text_is_printable(relay->name, strlen(relay->name)));
        MUST(address_parse(relay->address, &address) == 0 && address.family && address.port);
        MUST(!strcmp(relay->speaks, "reg-ack") || !strcmp(relay->speaks, "pilot"));
    }
}

static void check_address(const char *text)
{
    struct pd_address address;

    MUST(!text || (address_parse(text, &address) == 0 && address.family));
}

static void check_conn(uint64_t conn)
{
    MUST(conn >= 1 && conn < UINT64_C(1) << 53);
}

static void check_answered(uint8_t *fates, uint64_t number)
{
    MUST(number >= 1 && number < ASKED_MOST && fates[number] == ASKED);
    fates[number] = ANSWERED;
}

static void check_answer(struct fuzz *fuzz, const struct event_answer *answer)
{
    check_answered(fuzz->requests, answer->request);
    check_address(answer->local);
    MUST(!answer->ok || (!answer->malformed && !answer->code));
    MUST(answer->ok || (!answer->validated && !answer->local && !answer->conn));
    if (answer->conn)
        check_conn(answer->conn);
}

static void check_probed(struct fuzz *fuzz, const struct event_probed *probed)
{
    check_answered(fuzz->probes, probed->probe);
    MUST(!probed->ok || (!probed->code && !probed->message));
    MUST(probed->ok ? probed->rtt_us <= PROBE_MS * 1000 + 1000000 : !probed->rtt_us);
}

static void check_event(struct fuzz *fuzz, const struct event *event)
{
    switch (event->type) {
    case EVENT_NODE_UP:
        MUST(event->node_up.node && event->node_up.boot);
        break;
    case EVENT_PEER_UP:
        check_conn(event->peer_up.conn);
        MUST(*event->peer_up.peer && strlen(event->peer_up.peer) <= 255);
        MUST(text_is_printable(event->peer_up.peer, strlen(event->peer_up.peer)));
        check_address(event->peer_up.local);
        check_address(event->peer_up.remote);
        break;
    case EVENT_PEER_DOWN:
        check_conn(event->peer_down.conn);
        break;
    case EVENT_PEER_PATH:
        check_conn(event->peer_path.conn);
        check_address(event->peer_path.local);
        check_address(event->peer_path.remote);
        break;
    case EVENT_SAMPLES:
        MUST(event->samples.n_rows > 0);
        for (size_t i = 0; i < event->samples.n_rows; i++)
            check_conn(event->samples.rows[i].conn);
        break;
    case EVENT_SUMMARY_DONE:
        check_answered(fuzz->looks, event->summary_done.poll);
        break;
    case EVENT_ANSWER:
        check_answer(fuzz, &event->answer);
        break;
    case EVENT_PROBED:
        check_probed(fuzz, &event->probed);
        break;
    case EVENT_RELAYS:
        check_relays(&event->relays);
        break;
    case EVENT_NOTICE:
        MUST(event->notice.count >= 1 && *event->notice.what && *event->notice.text);
        MUST(text_is_printable(event->notice.text, strlen(event->notice.text)));
        break;
    default:
        MUST(event->type == EVENT_SNAPSHOT);
    }
}

static void on_event(void *userdata, struct event *event)
{
    struct fuzz *fuzz = userdata;
    char within = fuzz->within;

    check_event(fuzz, event);
    fuzz->within = 0;
    if (within)
        act(fuzz, within);
}

/* Takes what is to be written: whole lines, each a JSON object. */
static void check_output(struct fuzz *fuzz)
{
    struct buffer *out = protocol_output(fuzz->protocol);

    while (out->length) {
        const char *line = buffer_bytes(out), *end = memchr(line, '\n', out->length);
        json_t *root;

        MUST(end && end - line < 1024 * 1024);
        root = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
        MUST(json_is_object(root));
        json_decref(root);
        buffer_take(out, (size_t)(end - line) + 1);
    }
}

static void reopen(struct fuzz *fuzz)
{
    /* What was asked on the connection before is not answered on this one. */
    memset(fuzz->requests, NEVER, sizeof(fuzz->requests));
    memset(fuzz->looks, NEVER, sizeof(fuzz->looks));
    memset(fuzz->probes, NEVER, sizeof(fuzz->probes));
    protocol_open(fuzz->protocol, fuzz->now_us, 0);
}

static void time_passes(struct fuzz *fuzz)
{
    uint64_t n_probes = fuzz->n_probes;

    fuzz->now_us += 6000000;
    if (protocol_expire(fuzz->protocol, fuzz->now_us) < 0)
        reopen(fuzz);
    /* none that was asked before is still open */
    for (uint64_t i = 1; i <= n_probes; i++)
        MUST(fuzz->probes[i] != ASKED);
}

static void command(struct fuzz *fuzz, const char *what, size_t length)
{
    if (*what == 't') {
        time_passes(fuzz);
    } else if (*what == 'o') {
        reopen(fuzz);
    } else if (*what == 'e') {
        fuzz->within = length > 1 ? what[1] : 'm';
    } else {
        act(fuzz, *what);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct protocol_config config = {"fuzz", 7, 1000000};
    struct fuzz fuzz = {0};
    const char *at = (const char *)data, *end = at + size;

    MUST(protocol_new(&config, on_event, &fuzz, &fuzz.protocol) == 0);
    reopen(&fuzz);
    while (at < end) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);

        if (length > 1 && *at == '!')
            command(&fuzz, at + 1, length - 1);
        else if (length && protocol_input(fuzz.protocol, fuzz.now_us, at, length) < 0)
            reopen(&fuzz);
        check_output(&fuzz);
        at += length + 1;
    }
    time_passes(&fuzz);
    protocol_free(fuzz.protocol);
    return 0;
}
