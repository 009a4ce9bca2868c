/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nothing happens where nothing can happen, in words, with what would
 * change it. The strongest reason comes first; no reason is no news.
 */
#include <stdarg.h>
#include <stdio.h>

#include "../util/duration.h"
#include "private.h"

#define NAMES_MAX 3u /* of peers, in a sentence */

/* What it means to who asks whether all is well. */
enum grade {
    GRADE_NOTE,   /* all is well, and it explains why nothing happens */
    GRADE_LOOK,   /* somebody should have a poll */
    GRADE_BROKEN, /* nothing works */
};

__attribute__((format(printf, 4, 5))) static void put_reason(struct buffer *out, enum grade grade,
                                                             const char *what, const char *format,
                                                             ...)
{
    static const char *const grades[] = {
        [GRADE_NOTE] = "note", [GRADE_LOOK] = "look", [GRADE_BROKEN] = "broken"};
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put_open(out, NULL, "{");
    put_text(out, "what", what);
    put_text(out, "grade", grades[grade]);
    put_text(out, "text", text);
    put_close(out, "}");
}

static void node_reasons(struct buffer *out, const struct inspect_status *status, const char *path)
{
    char silent[DURATION_SIZE];

    if (!status->up)
        put_reason(out, GRADE_BROKEN, "node-down", "the node at %s is down: %s", path,
                   status->down_reason ? status->down_reason : "not connected to yet");
    else if (status->silent_us)
        put_reason(out, GRADE_BROKEN, "node-silent",
                   "the node has not answered for %s: its process hangs, or is stopped. What is "
                   "known of its peers is that old, and no peer can be moved",
                   duration_text(silent, status->silent_us));
    else if (!status->reported)
        put_reason(out, GRADE_LOOK, "no-snapshot",
                   "waiting for the node's first peer list: peers are polled when it is complete");
    else if (!status->counts.peers)
        put_reason(out, GRADE_NOTE, "no-peers", "the node has no connections");
}

static void uplink_reasons(struct buffer *out, const struct engine *engine, uint64_t now_us)
{
    struct inspect_uplink uplink;
    char left[DURATION_SIZE];

    for (size_t i = 0; inspect_uplink(engine, now_us, i, &uplink); i++) {
        if (!uplink.held)
            continue;
        if (uplink.held_for_us == INSPECT_NEVER)
            put_reason(
                out, GRADE_LOOK, "uplink-held",
                "uplink %s is held until \"pathdogctl release --uplink %s\": no connection is "
                "moved to it",
                uplink.name, uplink.name);
        else
            put_reason(out, GRADE_LOOK, "uplink-held",
                       "uplink %s is held for another %s: no connection is moved to it",
                       uplink.name, duration_text(left, uplink.held_for_us));
    }
}

static void held_reasons(struct buffer *out, const struct inspect_status *status)
{
    char left[DURATION_SIZE];

    if (status->mode == MODE_OBSERVE)
        put_reason(out, GRADE_LOOK, "observing",
                   "the mode is observe: decisions are made and recorded, but no request is sent "
                   "to the node; "
                   "\"pathdogctl mode active\" ends it");
    if (!status->all_held)
        return;
    if (status->held_left_us == INSPECT_NEVER)
        put_reason(out, GRADE_LOOK, "all-held",
                   "all peers are held until \"pathdogctl release --all\": only moves that "
                   "operators ask for are made");
    else
        put_reason(out, GRADE_LOOK, "all-held",
                   "all peers are held for another %s, or until \"pathdogctl release --all\"",
                   duration_text(left, status->held_left_us));
}

static void trigger_reasons(struct buffer *out, const struct engine *engine, bool *ret_samples)
{
    struct inspect_instance instance;
    size_t n_open = 0, n_finds_dead = 0, n = 0;

    *ret_samples = false;
    for (; inspect_instance(engine, n, &instance); n++) {
        n_open += instance.open;
        n_finds_dead += instance.open && instance.finds_dead;
        *ret_samples |= instance.open && instance.samples;
        if (!instance.open)
            put_reason(out, GRADE_LOOK, "trigger-closed",
                       "the trigger %s failed and is closed until a reload that changes it, or a "
                       "restart; the notice \"trigger-closed\" says why",
                       instance.name);
    }
    if (!n)
        put_reason(out, GRADE_BROKEN, "no-triggers",
                   "no trigger is enabled: each needs a section like [trigger:srtt] in the "
                   "configuration");
    else if (!n_open)
        put_reason(out, GRADE_BROKEN, "no-triggers",
                   "all triggers are closed: no move can be advised");
    else if (!n_finds_dead)
        put_reason(out, GRADE_LOOK, "no-dead-trigger",
                   "no enabled trigger can notice a dead path: the configuration has no section "
                   "[trigger:stall]");
}

/* Only when a whole round has been answered may a column be missed. */
static void column_reasons(struct buffer *out, const struct inspect_status *status, bool samples)
{
    const uint32_t life = 1u << PD_RTT_SAMPLES | 1u << PD_BYTES_RECEIVED | 1u << PD_SILENT_MS;

    if (!status->reported || !status->counts.peers || status->rounds < 2)
        return;
    if (!status->columns) {
        put_reason(out, GRADE_BROKEN, "no-columns",
                   "the node reports no usable columns in its path summaries: no path can be found "
                   "slow or dead, no move can be evaluated%s",
                   samples ? ", and the triggers that evaluate samples cannot advise" : "");
        return;
    }
    if (!(status->columns & 1u << PD_SRTT_US))
        put_reason(out, GRADE_LOOK, "no-srtt",
                   "the node does not report srtt_us: no path can be found slow");
    if (!(status->columns & life))
        put_reason(out, GRADE_LOOK, "no-life-signs",
                   "the node reports none of rtt_samples, bytes_received and silent_ms: no path "
                   "can be found dead, and the fallback cannot act");
}

/* " (bravo, charlie)": the first of them, as far as there is room. */
static const char *silent_names(const struct engine *engine, uint64_t now_us, char text[160])
{
    struct inspect_peer peer;
    size_t length = 0;
    unsigned n = 0;

    *text = '\0';
    for (uint32_t place = 0; inspect_next(engine, now_us, &place, PLACES_TALLY, &peer);) {
        if (peer.condition != INSPECT_IS_SILENT)
            continue;
        if (n == NAMES_MAX || length + strlen(peer.name) + sizeof(", , …)") > 160) {
            length += (size_t)snprintf(text + length, 160 - length, n ? ", …" : " (…");
            break;
        }
        length +=
            (size_t)snprintf(text + length, 160 - length, "%s%s", n++ ? ", " : " (", peer.name);
    }
    if (length)
        snprintf(text + length, 160 - length, ")");
    return text;
}

/* Paths that are dead, and peers that nothing new is known of. The node's own silence is said
 * already, and says it of all of them. */
static void path_reasons(struct buffer *out, const struct engine *engine, uint64_t now_us,
                         const struct inspect_status *status, const struct inspect_tally *tally)
{
    char names[160];

    if (tally->silent)
        put_reason(out, tally->silent == tally->up ? GRADE_BROKEN : GRADE_LOOK, "peers-silent",
                   "%u of %u peers silent%s: data is outstanding, and nothing is received",
                   tally->silent, tally->up, silent_names(engine, now_us, names));
    if (tally->unseen && !status->silent_us)
        put_reason(out, GRADE_LOOK, "peers-unseen",
                   "the node has reported nothing of %u of %u peers for three polls: what is shown "
                   "of these peers is old",
                   tally->unseen, tally->up);
}

static void peer_reasons(struct buffer *out, const struct engine *engine, uint64_t now_us,
                         const struct inspect_status *status)
{
    struct inspect_tally tally = {0};

    if (!status->reported || !status->counts.peers || inspect_places(engine) > PLACES_TALLY)
        return; /* so many are never all alike */
    inspect_tally(engine, now_us, 0, PLACES_TALLY, &tally);
    path_reasons(out, engine, now_us, status, &tally);
    if (!tally.up)
        put_reason(out, GRADE_BROKEN, "all-gone", "none of the connections is up");
    else if (tally.fixed == tally.up)
        put_reason(
            out, GRADE_LOOK, "all-fixed",
            "none of the %u connections that are up may be moved: %u were opened by their "
            "peers, %u forbid migration, and none may be reconnected; \"pathdogctl explain\" "
            "says more of each peer",
            tally.up, tally.server, tally.disabled);
    else if (!tally.measured && status->rounds >= 2)
        put_reason(out, GRADE_NOTE, "nothing-measured",
                   "no connection has an RTT yet: all are idle, or new");
}

void put_reasons(struct buffer *out, const struct engine *engine, uint64_t now_us,
                 const struct inspect_status *status, const struct config *config)
{
    bool samples;

    put_open(out, "reasons", "[");
    node_reasons(out, status, config->node);
    peer_reasons(out, engine, now_us, status);
    held_reasons(out, status);
    uplink_reasons(out, engine, now_us);
    trigger_reasons(out, engine, &samples);
    column_reasons(out, status, samples);
    if (status->budget && status->counts.open >= status->budget)
        put_reason(out, GRADE_LOOK, "budget",
                   "%u requests are open, which is the most allowed: further requests wait",
                   status->counts.open);
    put_close(out, "]");
}
