/* SPDX-License-Identifier: Apache-2.0 */
/* Messages → advice. See jobs.h. */
#include "jobs.h"

#include "../ip-text.h"

#include "util/glob.h"
#include "util/hash.h"
#include "util/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The same within this is one. */
#define REPEAT_US 1000000u
/* Work in one callback: a glob of a peer is GLOB_WORK, an address that is compared 1. So it takes
 * about 3 ms for globs, and 10 ms for 100 000 peers of one tunnel, whose requests then leave before
 * anything is done about the first of them. */
#define SLICE     262144u
#define GLOB_WORK 8u
/* How long those whose tunnel went down are looked at closely. */
#define FAST_POLL_US 10000000u

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
static bool is_repeated(const struct messages *messages, uint64_t hash, uint64_t now_us)
{
    for (size_t i = 0; i < MESSAGES_RECENT; i++)
        if (messages->recent[i].hash == hash && now_us - messages->recent[i].at_us < REPEAT_US)
            return true;
    return false;
}

/* ---- jobs ---- */

static void job_free(struct message_job *job)
{
    free(job->text);
    globs_free(job->globs);
    free(job->addresses);
    *job = (struct message_job){0};
}

static void job_evidence(struct message_job *job, const char *name, const char *text,
                         uint64_t number)
{
    if (text ? *text : number != UINT64_MAX)
        job->evidence[job->n_evidence++] = (struct pd_field){name, text, number};
}

static void job_addresses(struct message_job *job, char *addresses)
{
    size_t addresses_capacity = 0;
    struct message_address address;
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

static void job_begin(struct message_job *job, const struct content *content)
{
    size_t sizes[] = {strlen(content->event) + 1, strlen(content->tunnel) + 1,
                      strlen(content->peers) + 1, strlen(content->addresses) + 1};
    char *text = memory_new(1, sizes[0] + sizes[1] + sizes[2] + sizes[3]);
    char *tunnel = text + sizes[0], *peers = tunnel + sizes[1], *addresses = peers + sizes[2];

    *job = (struct message_job){.text = text, .event = text, .tunnel = tunnel, .peers = peers};
    memcpy(text, content->event, sizes[0]);
    memcpy(tunnel, content->tunnel, sizes[1]);
    memcpy(peers, content->peers, sizes[2]);
    memcpy(addresses, content->addresses, sizes[3]);
    job_addresses(job, addresses);
    snprintf(job->reason, sizeof(job->reason), "%s%s%s%s%s", *tunnel ? "tunnel " : "notice",
             *tunnel ? tunnel : "", ": ", job->event, *content->reason ? ", " : "");
    snprintf(job->reason + strlen(job->reason), sizeof(job->reason) - strlen(job->reason), "%s",
             content->reason);
    message_text_cut(job->reason, sizeof(job->reason));
    job_evidence(job, "event", job->event, 0);
    job_evidence(job, "tunnel", job->tunnel, 0);
    job_evidence(job, "pid", NULL, content->pid);
    job_evidence(job, "uid", NULL, content->uid);
    job_evidence(job, "gid", NULL, content->gid);
}

/* Where PEERS is given it alone says whom. */
static bool job_concerns(const struct message_job *job, const struct pd_peer *peer)
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

static int job_act(struct pd_turn *turn, struct message_job *job, uint32_t index,
                   struct message_peer *peer, bool again)
{
    struct messages *messages = turn->self;
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
        job->cause = message_cause_open(turn, &messages->causes, job->reason, job->tunnel,
                                        messages->names->folded);
    job->cause_asked = true;
    advice.cause = job->cause;
    return turn->host->advise(turn, index, again ? NULL : &advice);
}

/* Goes through as many peers as one callback may. Returns 0, or what the host refused with. */
static int job_step(struct pd_turn *turn, struct message_job *job)
{
    struct messages *messages = turn->self;
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
    for (; job->next < messages->n_peers && left >= work; job->next++, left -= work) {
        const struct pd_peer *peer = turn->host->peer(turn, job->next);
        struct message_peer *state = turn->host->state(turn, job->next);

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

static void job_end(struct pd_turn *turn, struct message_job *job)
{
    const struct messages *messages = turn->self;
    char name[100], text[256];

    if (job->cause)
        turn->host->close_cause(turn, job->cause);
    if (!job->found) {
        snprintf(name, sizeof(name), "%.99s", job->reason);
        message_text_cut(name, sizeof(name));
        snprintf(text, sizeof(text), "%s: no peer matches %s%s", name,
                 job->globs->n ? "its PEERS" : "TUNNEL=", job->globs->n ? "" : job->tunnel);
        message_text_cut(text, sizeof(text));
        turn->host->notice(turn, PD_LEVEL_WARNING, messages->names->nobody, text);
    }
    job_free(job);
}

int messages_timer(struct pd_turn *turn)
{
    struct messages *messages = turn->self;
    struct message_job *job = &messages->jobs[messages->first % MESSAGES_WAITING_MAX];
    int r;

    if (!messages->count)
        return 0;
    r = job_step(turn, job);
    if (r < 0 || job->next >= messages->n_peers) {
        job_end(turn, job);
        messages->first++;
        messages->count--;
    }
    if (messages->count)
        turn->host->set_timer(turn, turn->now_us ? turn->now_us : 1);
    return r;
}

/* ---- what the trigger is called with ---- */

void messages_peer(struct messages *messages, const struct pd_peer_event *event)
{
    if (event->change == PD_PEER_UP && event->peer->index >= messages->n_peers)
        messages->n_peers = event->peer->index + 1;
}

int messages_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    struct messages *messages = turn->self;
    struct content content;
    uint64_t hash;

    content_read(signal, &content);
    hash = content_hash(&content);
    if (is_repeated(messages, hash, turn->now_us))
        return 0;
    if (messages->count == MESSAGES_WAITING_MAX) {
        turn->host->notice(turn, PD_LEVEL_WARNING, messages->names->busy,
                           "messages come faster than they are handled: one was dropped");
        return 0;
    }
    /* only now: one that was dropped may be said again at once */
    messages->recent[messages->next_recent++ % MESSAGES_RECENT] =
        (struct message_recent){hash, turn->now_us};
    messages->handled++;
    job_begin(&messages->jobs[(messages->first + messages->count++) % MESSAGES_WAITING_MAX],
              &content);
    return messages->count == 1 ? messages_timer(turn) : 0;
}

void messages_stop(struct messages *messages)
{
    for (size_t i = 0; i < MESSAGES_WAITING_MAX; i++)
        job_free(&messages->jobs[i]);
}

int messages_report(const struct messages *messages, const struct message_peer *peer,
                    uint64_t now_us, char *text, size_t size)
{
    uint64_t ago_us = now_us - peer->reported_us;

    if (!messages->handled)
        return snprintf(text, size, "no message so far");
    if (!peer->reported_us)
        return snprintf(text, size, "none of %" PRIu64 " messages matched this peer",
                        messages->handled);
    return snprintf(text, size, "a message matched this peer %" PRIu64 ".%" PRIu64 " s ago%s",
                    ago_us / 1000000, ago_us / 100000 % 10,
                    peer->down ? " (event down: polled only)" : "");
}
