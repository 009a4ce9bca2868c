/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel: somebody says that they rebound their socket, or that a tunnel is
 * there again: the peers concerned are moved. Pure; what is said comes as the
 * signal `notice` {event, tunnel, peers, reason, addresses, pid, uid, gid}.
 *
 * `down` asks for close looks only: if the next hop is another after it, that is
 * for the route trigger to see.
 */
#include "../ip-text.h"
#include "causes.h"
#include "options.h"

#include "util/glob.h"
#include "util/hash.h"
#include "util/util.h"

#include <errno.h>
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

/* The same within this is one. */
#define REPEAT_US 1000000u
#define RECENT    32u
/* Messages that may wait to be worked off. */
#define JOBS_MAX 64u
/* Work in one callback: a glob of a peer is GLOB_WORK, an address that is compared 1. So it takes
 * about 3 ms for globs, and 10 ms for 100 000 peers of one tunnel, whose requests then leave before
 * anything is done about the first of them. */
#define SLICE     262144u
#define GLOB_WORK 8u
/* How long those whose tunnel went down are looked at closely. */
#define FAST_POLL_US 10000000u
/* Of a socket's name there may be 107; it is bound with a dot and a pid behind it first. */
#define SOCKET_BYTES 96u

static const struct pd_option options[] = {
    [TUNNEL_OPTION_SOCKET] = {"socket", PD_OPTION_PATH, "/run/pathdog/notify", 0, SOCKET_BYTES,
                              "the datagram socket that receives the messages"},
    [TUNNEL_OPTION_GROUP] = {"group", PD_OPTION_GROUP, NULL, 0, 0,
                             "the socket's group; default: pathdog, if that group exists"},
    [TUNNEL_OPTION_MODE] = {"mode", PD_OPTION_MODE, "0660", 0, 0, "the socket's mode, octal"},
    {0},
};

struct tunnel_address {
    uint8_t family;
    uint8_t bytes[16];
};

/* One message, until all peers have been gone through. */
struct job {
    char *text; /* what the others point into */
    const char *event, *tunnel, *peers;
    struct globs *globs; /* of PEERS; NULL until its turn comes, for they take much room */
    bool everybody;
    bool cause_asked;
    struct tunnel_address *addresses;
    size_t n_addresses;
    uint64_t cause;
    uint32_t next; /* peer */
    uint32_t found;
    struct pd_field evidence[5];
    size_t n_evidence;
    char reason[400];
};

struct recent {
    uint64_t hash;
    uint64_t at_us;
};

struct tunnel {
    uint32_t n_peers; /* indexes that were ever seen are below this */
    struct job jobs[JOBS_MAX];
    uint32_t first, count;
    struct recent recent[RECENT];
    uint32_t next_recent;
    uint64_t messages; /* so far, repeats apart */
    struct tunnel_causes causes;
};

/* What is known of a connection. */
struct tunnel_peer {
    uint64_t reported_us : 62; /* when a message concerned it last, 0: never */
    uint64_t down : 1;         /* that was EVENT=down */
};

/* ---- what is said ---- */

struct content {
    const char *event, *tunnel, *peers, *reason, *addresses;
    uint64_t pid, uid, gid;
};

static void content_read(const struct pd_signal *signal, struct content *ret_content)
{
    struct content content = {"", "", "", "", "", UINT64_MAX, UINT64_MAX, UINT64_MAX};

    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];
        const char *text = field->text ? field->text : "";

        if (!strcmp(field->name, "event"))
            content.event = text;
        else if (!strcmp(field->name, "tunnel"))
            content.tunnel = text;
        else if (!strcmp(field->name, "peers"))
            content.peers = text;
        else if (!strcmp(field->name, "reason"))
            content.reason = text;
        else if (!strcmp(field->name, "addresses"))
            content.addresses = text;
        else if (!strcmp(field->name, "pid"))
            content.pid = field->number;
        else if (!strcmp(field->name, "uid"))
            content.uid = field->number;
        else if (!strcmp(field->name, "gid"))
            content.gid = field->number;
    }
    *ret_content = content;
}

static uint64_t content_hash(const struct content *content)
{
    return hash_text(hash_text(hash_text(HASH_START, content->event), content->tunnel),
                     content->peers);
}

/* Was the same said less than a second ago? */
static bool is_repeated(const struct tunnel *tunnel, uint64_t hash, uint64_t now_us)
{
    for (size_t i = 0; i < RECENT; i++)
        if (tunnel->recent[i].hash == hash && now_us - tunnel->recent[i].at_us < REPEAT_US)
            return true;
    return false;
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    free(job->text);
    globs_free(job->globs);
    free(job->addresses);
    *job = (struct job){0};
}

static void job_evidence(struct job *job, const char *name, const char *text, uint64_t number)
{
    if (text ? *text : number != UINT64_MAX)
        job->evidence[job->n_evidence++] = (struct pd_field){name, text, number};
}

static void job_addresses(struct job *job, char *addresses)
{
    size_t addresses_capacity = 0;
    struct tunnel_address address;
    char *word;

    while ((word = strsep(&addresses, " "))) {
        address.family = (uint8_t)ip_parse(word, address.bytes);
        if (!address.family)
            continue;
        job->addresses = array_reserve(job->addresses, &addresses_capacity, job->n_addresses + 1,
                                       sizeof(address));
        job->addresses[job->n_addresses++] = address;
    }
}

static void job_begin(struct job *job, const struct content *content)
{
    size_t sizes[] = {strlen(content->event) + 1, strlen(content->tunnel) + 1,
                      strlen(content->peers) + 1, strlen(content->addresses) + 1};
    char *text = memory_new(1, sizes[0] + sizes[1] + sizes[2] + sizes[3]);
    char *tunnel = text + sizes[0], *peers = tunnel + sizes[1], *addresses = peers + sizes[2];

    *job = (struct job){.text = text, .event = text, .tunnel = tunnel, .peers = peers};
    memcpy(text, content->event, sizes[0]);
    memcpy(tunnel, content->tunnel, sizes[1]);
    memcpy(peers, content->peers, sizes[2]);
    memcpy(addresses, content->addresses, sizes[3]);
    job_addresses(job, addresses);
    snprintf(job->reason, sizeof(job->reason), "%s%s%s%s%s", *tunnel ? "tunnel " : "notice",
             *tunnel ? tunnel : "", ": ", job->event, *content->reason ? ", " : "");
    snprintf(job->reason + strlen(job->reason), sizeof(job->reason) - strlen(job->reason), "%s",
             content->reason);
    tunnel_text_cut(job->reason, sizeof(job->reason));
    job_evidence(job, "event", job->event, 0);
    job_evidence(job, "tunnel", job->tunnel, 0);
    job_evidence(job, "pid", NULL, content->pid);
    job_evidence(job, "uid", NULL, content->uid);
    job_evidence(job, "gid", NULL, content->gid);
}

/* Where PEERS is given it alone says whom. */
static bool job_concerns(const struct job *job, const struct pd_peer *peer)
{
    if (job->globs->n)
        return globs_match(job->globs, peer->name);
    if (!*job->tunnel)
        return false;
    if ((peer->path->via && !strcmp(peer->path->via, job->tunnel)) ||
        (peer->path->local.family && !strcmp(peer->path->local.scope, job->tunnel)))
        return true;
    for (size_t i = 0; i < job->n_addresses; i++)
        if (job->addresses[i].family == peer->path->local.family &&
            !memcmp(job->addresses[i].bytes, peer->path->local.bytes,
                    ip_length(peer->path->local.family)))
            return true;
    return false;
}

static int job_act(struct pd_turn *turn, struct job *job, uint32_t index, struct tunnel_peer *peer,
                   bool again)
{
    struct tunnel *tunnel = turn->self;
    struct pd_advice advice = {
        .kind = PD_KIND_MOVED,
        .reason = job->reason,
        .evidence = job->evidence,
        .n_evidence = job->n_evidence,
    };

    peer->reported_us = turn->now_us;
    peer->down = !strcmp(job->event, "down");
    if (peer->down) {
        turn->host->look(turn, index, add_u64(turn->now_us, FAST_POLL_US));
        return 0;
    }
    if (!job->cause_asked) /* one for all of its peers, or none */
        job->cause = tunnel_cause_open(turn, &tunnel->causes, job->reason, job->tunnel);
    job->cause_asked = true;
    advice.cause = job->cause;
    return turn->host->advise(turn, index, again ? NULL : &advice);
}

/* Goes through as many peers as one callback may. Returns 0, or what the host refused with. */
static int job_step(struct pd_turn *turn, struct job *job)
{
    struct tunnel *tunnel = turn->self;
    size_t work, left = SLICE;
    bool again = false;
    int r = 0;

    if (!job->globs) {
        job->globs = globs_new(job->peers);
        job->everybody = globs_match(job->globs, ""); /* only "*" matches nothing at all */
    }
    work = job->everybody ? 1 : job->globs->n ? job->globs->n * GLOB_WORK : job->n_addresses + 1;
    if (work > SLICE)
        work = SLICE; /* one peer at a time */
    for (; job->next < tunnel->n_peers && left >= work; job->next++, left -= work) {
        const struct pd_peer *peer = turn->host->peer(turn, job->next);
        struct tunnel_peer *state = turn->host->state(turn, job->next);

        /* without a state: it belongs to another instance, by its `match` */
        if (!peer || !state || (!job->everybody && !job_concerns(job, peer)))
            continue;
        job->found++;
        r = job_act(turn, job, job->next, state, again);
        if (r < 0)
            return r;
        again = true;
    }
    return 0;
}

static void job_end(struct pd_turn *turn, struct job *job)
{
    char name[100], text[256];

    if (job->cause)
        turn->host->close_cause(turn, job->cause);
    if (!job->found) {
        snprintf(name, sizeof(name), "%.99s", job->reason);
        tunnel_text_cut(name, sizeof(name));
        snprintf(text, sizeof(text), "%s: no peer matches %s%s", name,
                 job->globs->n ? "its PEERS" : "TUNNEL=", job->globs->n ? "" : job->tunnel);
        tunnel_text_cut(text, sizeof(text));
        turn->host->notice(turn, PD_LEVEL_WARNING, "tunnel-nobody", text);
    }
    job_free(job);
}

static int jobs_step(struct pd_turn *turn)
{
    struct tunnel *tunnel = turn->self;
    struct job *job = &tunnel->jobs[tunnel->first % JOBS_MAX];
    int r;

    if (!tunnel->count)
        return 0;
    r = job_step(turn, job);
    if (r < 0 || job->next >= tunnel->n_peers) {
        job_end(turn, job);
        tunnel->first++;
        tunnel->count--;
    }
    if (tunnel->count)
        turn->host->set_timer(turn, turn->now_us ? turn->now_us : 1);
    return r;
}

/* ---- callbacks ---- */

static int tunnel_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct tunnel *tunnel = turn->self;

    if (event->change == PD_PEER_UP && event->peer->index >= tunnel->n_peers)
        tunnel->n_peers = event->peer->index + 1;
    return 0;
}

static int tunnel_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    struct tunnel *tunnel = turn->self;
    struct content content;
    uint64_t hash;

    if (strcmp(signal->kind, "notice") != 0)
        return 0;
    content_read(signal, &content);
    hash = content_hash(&content);
    if (is_repeated(tunnel, hash, turn->now_us))
        return 0;
    if (tunnel->count == JOBS_MAX) {
        turn->host->notice(turn, PD_LEVEL_WARNING, "tunnel-busy",
                           "messages come faster than they are handled: one was dropped");
        return 0;
    }
    /* only now: one that was dropped may be said again at once */
    tunnel->recent[tunnel->next_recent++ % RECENT] = (struct recent){hash, turn->now_us};
    tunnel->messages++;
    job_begin(&tunnel->jobs[(tunnel->first + tunnel->count++) % JOBS_MAX], &content);
    return tunnel->count == 1 ? jobs_step(turn) : 0;
}

static int tunnel_timer(struct pd_turn *turn)
{
    return jobs_step(turn);
}

static void tunnel_stop(struct pd_turn *turn)
{
    struct tunnel *tunnel = turn->self;

    for (size_t i = 0; i < JOBS_MAX; i++)
        job_free(&tunnel->jobs[i]);
}

static int tunnel_report(const void *self, const struct pd_peer *who, const void *state,
                         uint64_t now_us, char *text, size_t size)
{
    const struct tunnel *tunnel = self;
    const struct tunnel_peer *peer = state;
    uint64_t ago_us = now_us - peer->reported_us;

    (void)who;
    if (!tunnel->messages)
        return snprintf(text, size, "no message so far");
    if (!peer->reported_us)
        return snprintf(text, size, "none of %" PRIu64 " messages matched this peer",
                        tunnel->messages);
    return snprintf(text, size, "a message matched this peer %" PRIu64 ".%" PRIu64 " s ago%s",
                    ago_us / 1000000, ago_us / 100000 % 10,
                    peer->down ? " (event down: polled only)" : "");
}

PD_TRIGGER(tunnel) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "tunnel",
    .summary = "a message reports that a tunnel or a socket was rebound",
    .options = options,
    .instance_size = sizeof(struct tunnel),
    .peer_size = sizeof(struct tunnel_peer),
    .stop = tunnel_stop,
    .peer = tunnel_peer,
    .signal = tunnel_signal,
    .timer = tunnel_timer,
    .tell = tunnel_report,
};
