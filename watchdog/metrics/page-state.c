/* SPDX-License-Identifier: Apache-2.0 */
/* How things are: samples from engine/inspect.h. */
#include "../engine/base/names.h"
#include "page.h"

static void put_node(struct text_out *text, const struct inspect_status *status)
{
    if (status->up)
        text_sample(text,
                    LABELS({"implementation", status->implementation ? status->implementation : ""},
                           {"node", status->node ? status->node : ""}),
                    1);
}

static void put_peers(struct text_out *text, const struct inspect_tally *tally)
{
    uint32_t unwell = tally->silent + tally->unseen + tally->moving + tally->idle + tally->new;
    const struct {
        const char *state;
        uint32_t n;
    } rows[] = {{"gone", tally->gone}, {"untold", tally->unreported}, {"unseen", tally->unseen},
                {"new", tally->new},   {"silent", tally->silent},     {"moving", tally->moving},
                {"idle", tally->idle}, {"up", tally->up - unwell}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_sample(text, LABELS({"state", rows[i].state}), rows[i].n);
}

static void put_mode(struct text_out *text, enum mode mode)
{
    for (size_t i = 0; mode_names[i]; i++)
        text_sample(text, LABELS({"mode", mode_names[i]}), i == (size_t)mode);
}

/* ---- uplinks ---- */

static void put_uplinks(struct text_out *text, const struct page_facts *facts)
{
    uint64_t counts[INSPECT_UPLINK_STATES] = {0};
    struct inspect_uplink uplink;

    for (size_t i = 0; inspect_uplink(facts->engine, facts->now_us, i, &uplink); i++)
        counts[inspect_uplink_state(&uplink)]++;
    for (size_t i = 0; i < INSPECT_UPLINK_STATES; i++)
        text_sample(text,
                    LABELS({"state", inspect_uplink_state_name((enum inspect_uplink_state)i)}),
                    counts[i]);
}

static void put_uplink_state(struct text_out *text, const struct inspect_uplink *uplink)
{
    for (enum inspect_uplink_state i = 0; i < INSPECT_UPLINK_STATES; i++)
        text_sample(text, LABELS({"state", inspect_uplink_state_name(i)}, {"uplink", uplink->name}),
                    i == inspect_uplink_state(uplink));
}

static void put_uplink(struct text_out *text, enum family_id id, const struct page_facts *facts,
                       const struct inspect_uplink *uplink)
{
    const struct label *labels = LABELS({"uplink", uplink->name});

    switch (id) {
    case METRIC_UPLINK:
        text_sample(text,
                    LABELS({"class", uplink_class_names[uplink->class]},
                           {"interface", uplink->interface}, {"uplink", uplink->name}),
                    1);
        break;
    case METRIC_UPLINK_STATE:
        put_uplink_state(text, uplink);
        break;
    case METRIC_UPLINK_PEERS:
        text_sample(text, labels, uplink->peers);
        break;
    case METRIC_UPLINK_RTT:
        if (uplink->rtt_us != INSPECT_NEVER)
            text_seconds(text, labels, uplink->rtt_us);
        break;
    default:
        if (uplink->heard_us != INSPECT_NEVER)
            text_seconds(text, labels, sub_u64(facts->realtime_us, uplink->heard_us));
        break;
    }
}

/* The first ones by name; of the others, how many connections use them. */
static void put_each_uplink(struct text_out *text, enum family_id id,
                            const struct page_facts *facts)
{
    struct inspect_uplink uplink;
    uint64_t others = 0;
    bool any = false;

    for (size_t n = 0; inspect_uplink(facts->engine, facts->now_us, n, &uplink); n++) {
        if (n < PAGE_UPLINKS && strcmp(uplink.name, LABELS_OTHER) != 0) {
            put_uplink(text, id, facts, &uplink);
            continue;
        }
        others += uplink.peers;
        any = true;
    }
    if (id == METRIC_UPLINK_PEERS && any)
        text_sample(text, LABELS({"uplink", LABELS_OTHER}), others);
}

/* ---- relays, triggers ---- */

static void put_relays(struct text_out *text, const struct page_facts *facts)
{
    uint64_t usable = 0, failing = 0, left_out = 0;
    struct inspect_relay_walk walk = {0};
    struct inspect_relay relay;

    while (inspect_relay(facts->engine, facts->now_us, &walk, &relay)) {
        if (relay.report.left_out)
            left_out++;
        else if (relay.report.error)
            failing++;
        else
            usable++;
    }
    text_sample(text, LABELS({"state", "usable"}), usable);
    text_sample(text, LABELS({"state", "failing"}), failing);
    text_sample(text, LABELS({"state", "left-out"}), left_out);
}

static void put_triggers(struct text_out *text, const struct engine *engine)
{
    struct inspect_instance instance;
    uint64_t open = 0, closed = 0;

    for (size_t i = 0; inspect_instance(engine, i, &instance); i++)
        *(instance.open ? &open : &closed) += 1;
    text_sample(text, LABELS({"state", "open"}), open);
    text_sample(text, LABELS({"state", "closed"}), closed);
}

/* ---- what is one number ---- */

/* Where such a number stands. */
static bool plain_of(enum family_id id, const struct page_facts *facts,
                     const struct inspect_status *status, uint64_t *ret)
{
    const struct {
        enum family_id id;
        uint64_t value;
    } plain[] = {
        {METRIC_NODE_UP, status->up},
        {METRIC_NODE_REPORTED, status->reported},
        {METRIC_ALL_HELD, status->all_held},
        {METRIC_PEERS_HELD, facts->tally.held},
        {METRIC_PEERS_IMMOVABLE, facts->tally.fixed},
        {METRIC_PEERS_RELAYED, facts->tally.relayed},
        {METRIC_PEERS_COOLING, facts->tally.cooling},
        {METRIC_CAUSES_OPEN, status->counts.causes},
        {METRIC_REQUESTS_OPEN, status->counts.open},
        {METRIC_REQUESTS_QUEUED, status->counts.queued},
        {METRIC_REQUESTS_WAITING, status->counts.retrying},
        {METRIC_REQUESTS_BUDGET, status->budget},
        {METRIC_EFFECTS_PENDING, status->counts.effects},
        {METRIC_ROUNDS, status->rounds},
        {METRIC_IGNORED_EVENTS, status->counts.ignored},
        {METRIC_RESIDENT, facts->resident_bytes},
    };

    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (plain[i].id == id) {
            *ret = plain[i].value;
            return true;
        }
    return false;
}

bool page_state(struct text_out *text, enum family_id id, const struct page_facts *facts)
{
    const struct inspect_status status = inspect_status(facts->engine, facts->now_us);
    uint64_t value;

    if (plain_of(id, facts, &status, &value)) {
        text_sample(text, NULL, value);
        return true;
    }
    switch (id) {
    case METRIC_BUILD:
        text_sample(text, LABELS({"version", facts->version}), 1);
        return true;
    case METRIC_NODE:
        put_node(text, &status);
        return true;
    case METRIC_NODE_SILENT:
        text_seconds(text, NULL, status.silent_us);
        return true;
    case METRIC_MODE:
        put_mode(text, status.mode);
        return true;
    case METRIC_PEERS:
        put_peers(text, &facts->tally);
        return true;
    case METRIC_UPLINKS:
        put_uplinks(text, facts);
        return true;
    case METRIC_UPLINK:
    case METRIC_UPLINK_STATE:
    case METRIC_UPLINK_PEERS:
    case METRIC_UPLINK_RTT:
    case METRIC_UPLINK_HEARD:
        put_each_uplink(text, id, facts);
        return true;
    case METRIC_RELAYS:
        put_relays(text, facts);
        return true;
    case METRIC_TRIGGERS:
        put_triggers(text, facts->engine);
        return true;
    case METRIC_CPU:
        text_seconds(text, NULL, facts->cpu_us);
        return true;
    case METRIC_START_TIME:
        text_seconds(text, NULL, facts->start_us);
        return true;
    default:
        return false;
    }
}
