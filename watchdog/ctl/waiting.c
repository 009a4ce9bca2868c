/* SPDX-License-Identifier: Apache-2.0 */
#include "waiting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../util/buffer.h"
#include "../util/format.h"
#include "../util/util.h"
#include "members.h"

/* What it waits for, separated by "; ". */
static void add(struct buffer *out, const char *text)
{
    if (out->length)
        buffer_text(out, "; ");
    buffer_text(out, text);
}

static void add_count(struct buffer *out, const char *before, uint64_t count, const char *noun,
                      const char *after)
{
    char text[160];

    if (!count)
        return;
    snprintf(text, sizeof(text), "%s %" PRIu64 " %s%s%s", before, count, noun,
             count == 1 ? "" : "s", after);
    add(out, text);
}

static void node_waits(struct buffer *out, const json_t *node)
{
    const char *state = text_of(node, "state");

    if (!strcmp(state, "down"))
        add(out, "the node, to which it connects again and again");
    else if (has(node, "silent_us"))
        add(out, "an answer of the node");
    else if (!strcmp(state, "snapshot"))
        add(out, "the node's first peer list");
}

static void moves_wait(struct buffer *out, const json_t *status)
{
    const json_t *requests = json_object_get(status, "requests"),
                 *peers = json_object_get(status, "peers");

    add_count(out, "the node's answers to", number_of(requests, "open"), "request", "");
    add_count(out, "room for", number_of(requests, "queued"), "queued request", "");
    add_count(out, "another attempt of", number_of(requests, "waiting"), "move", "");
    add_count(out, "the effect of", number_of(status, "judged"), "move", "");
    add_count(out, "a time when", number_of(status, "remembered"), "peer",
              " with advice may be moved");
    add_count(out, "the end of the cool-down of", number_of(peers, "cooling"), "peer", "");
}

/* Those to which nothing is moved for now. */
static void uplinks_wait(struct buffer *out, const json_t *uplinks)
{
    const json_t *unwell = json_object_get(uplinks, "unwell");

    for (size_t i = 0; i < json_array_size(unwell); i++) {
        const json_t *uplink = json_array_get(unwell, i);
        const char *state = text_of(uplink, "state"), *name = text_of(uplink, "uplink");
        char text[160];

        if (!strcmp(state, "held"))
            snprintf(text, sizeof(text), "the release of uplink %.80s", name);
        else if (!strcmp(state, "penalty"))
            snprintf(text, sizeof(text), "the end of the penalty of uplink %.80s", name);
        else if (!strcmp(state, "unproven"))
            snprintf(text, sizeof(text), "proof that uplink %.80s works", name);
        else
            snprintf(text, sizeof(text), "uplink %.80s (%.20s)", name, state);
        add(out, text);
    }
}

char *waiting_text(const json_t *status)
{
    struct buffer out = {0};
    char *text;

    node_waits(&out, json_object_get(status, "node"));
    if (flag_of(status, "all_held"))
        add(&out, has(status, "held_left_us") ? "the end of the hold of all peers"
                                              : "\"pathdogctl release --all\"");
    moves_wait(&out, status);
    uplinks_wait(&out, json_object_get(status, "uplinks"));
    if (!out.length)
        add(&out, !number_of(status, "n_peers") ? "the node's first peer"
                  : strcmp(text_of(status, "mode"), "active") != 0
                      ? "nothing: peers are polled, and none is moved"
                      : "nothing: peers are polled, and moved if their path gets bad");
    text = string_format("%.*s", (int)out.length, buffer_bytes(&out));
    buffer_clear(&out);
    return text;
}
