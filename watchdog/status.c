/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STATUS= for systemctl status. Reads the events, not the engine's inside; the
 * only number it asks for is how many peers there are.
 */
#include "status.h"

#include <time.h>

#include "engine/inspect.h"
#include "util/format.h"
#include "util/printable.h"

#define STATUS_GAP_US UINT64_C(1000000)
#define PLACES_MAX    8192u

struct status {
    struct supervisor *supervisor;
    char *node_path;
    char *node; /* NULL: it is down */
    char *reason;
    uint32_t peers;
    uint64_t reported_us;
    uint64_t silent_since_us; /* by the wall clock; 0: the node answers */
    uint64_t counted_us;      /* when the silent peers were counted */
    uint32_t silent;          /* of its peers */
    bool reported;            /* all of its peers */
    bool changed;
};

struct status *status_new(const char *node_path, struct supervisor *supervisor)
{
    struct status *status = memory_new(1, sizeof(*status));

    status->node_path = string_copy(node_path);
    status->supervisor = supervisor;
    return status;
}

static char *silent_text(const struct status *status)
{
    time_t since = (time_t)(status->silent_since_us / 1000000);
    char text[64] = "a moment ago";
    struct tm local;

    if (localtime_r(&since, &local))
        strftime(text, sizeof(text), "%F %T %Z", &local);
    return string_format("Node %s has not answered since %s, %u peer%s", status->node, text,
                         status->peers, status->peers == 1 ? "" : "s");
}

static char *status_words(const struct status *status)
{
    if (status->node && status->silent_since_us)
        return silent_text(status);
    if (status->node && !status->reported)
        return string_format("Node %s is up, waiting for its first peer list", status->node);
    if (status->node && status->silent)
        return string_format("Node %s is up, %u of %u peers silent", status->node, status->silent,
                             status->peers);
    if (status->node)
        return string_format("Node %s is up, %u peer%s", status->node, status->peers,
                             status->peers == 1 ? "" : "s");
    return string_format("Waiting for the node at %s%s%s", status->node_path,
                         status->reason ? ": " : "", status->reason ? status->reason : "");
}

/* The node's name and reason are its own: systemctl shows them on a terminal. */
static char *status_text(const struct status *status)
{
    CLEANUP_FREE char *words = status_words(status);

    return text_shown(words);
}

void status_ready(struct status *status)
{
    CLEANUP_FREE char *text = status_text(status);

    status->changed = false;
    supervisor_ready(status->supervisor, text);
}

static void status_set_node(struct status *status, const char *node, const char *reason)
{
    if (string_equal(status->node, node) && string_equal(status->reason, reason))
        return;
    free(status->node);
    free(status->reason);
    status->node = string_copy(node);
    status->reason = string_copy(reason);
    status->reported = false;
    status->silent_since_us = 0;
    status->changed = true;
    status->reported_us = 0; /* worth telling at once */
}

static void status_set_peers(struct status *status, uint32_t peers, bool reported)
{
    status->changed |= peers != status->peers || reported;
    status->peers = peers;
    if (!reported)
        return;
    status->reported = true;
    status->reported_us = 0; /* the same */
}

/* Said once when it begins, with the time; and when it is over. */
static void status_set_silent(struct status *status, const struct engine *engine,
                              const struct event *event)
{
    uint64_t silent_us = inspect_status(engine, event->now_us).silent_us;

    if (!silent_us == !status->silent_since_us)
        return;
    status->silent_since_us = silent_us ? event->realtime_us - silent_us : 0;
    status->changed = true;
    status->reported_us = 0; /* the same */
}

/* Silent peers. Of very many they are not counted: that would take too long. */
static void status_count(struct status *status, const struct engine *engine, uint64_t now_us)
{
    struct inspect_tally tally = {0};

    if (now_us - status->counted_us < STATUS_GAP_US)
        return;
    status->counted_us = now_us;
    if (inspect_places(engine) <= PLACES_MAX)
        inspect_tally(engine, now_us, 0, PLACES_MAX, &tally);
    status->changed |= tally.silent != status->silent;
    status->silent = tally.silent;
}

void status_event(struct status *status, const struct engine *engine, const struct event *event)
{
    CLEANUP_FREE char *text = NULL;

    if (!supervisor_listens(status->supervisor))
        return;
    status_set_silent(status, engine, event);
    if (event->type == EVENT_TIMER) /* nobody waits for what follows */
        status_count(status, engine, event->now_us);
    switch (event->type) {
    case EVENT_NODE_UP:
        status_set_node(status, event->node_up.node, NULL);
        break;
    case EVENT_NODE_DOWN:
        status_set_node(status, NULL, event->node_down.reason);
        break;
    case EVENT_SNAPSHOT:
    case EVENT_PEER_UP:
    case EVENT_PEER_DOWN:
    case EVENT_TIMER:
        status_set_peers(status, engine_counts(engine).peers, event->type == EVENT_SNAPSHOT);
        break;
    default:
        break;
    }
    if (!status->changed || event->now_us - status->reported_us < STATUS_GAP_US)
        return;
    status->reported_us = event->now_us;
    status->changed = false;
    text = status_text(status);
    supervisor_status(status->supervisor, text);
}

struct status *status_free(struct status *status)
{
    if (!status)
        return NULL;
    free(status->node_path);
    free(status->node);
    free(status->reason);
    free(status);
    return NULL;
}
