/* SPDX-License-Identifier: Apache-2.0 */
/* What the advice of an evaluation says: its reason and its evidence. */
#include "evaluate.h"

#include "util/util.h"

const char route_default_flip[] = "default";

static void evidence_add(struct verdict_text *text, const char *name, const char *value)
{
    if (value[0])
        text->evidence[text->n_evidence++] = (struct pd_field){.name = name, .text = value};
}

/* What it is that changed: beside the two next hops the beginning of the reason. */
static const char *what_changed(const char *prefix, char *text, size_t size)
{
    const char *const parts[] = {"route to ", prefix, " changed: "};

    if (prefix == route_default_flip)
        return "default route flip: ";
    if (!prefix)
        return "route changed: ";
    texts_join(text, size, parts, ARRAY_SIZE(parts));
    return text;
}

static const char *cut_text(enum cut cut)
{
    switch (cut) {
    case CUT_NO_CARRIER:
        return " has no carrier";
    case CUT_GONE:
        return " is gone";
    case CUT_NO_ADDRESS:
        return " has lost its address";
    default:
        return " has no route";
    }
}

static void reason_write(struct verdict_text *text, const struct nexthops *nexthops)
{
    const struct verdict *verdict = &text->verdict;
    const struct nexthop *base = &nexthops_slot(nexthops, verdict->base)->nexthop;
    const struct nexthop *now = &nexthops_slot(nexthops, verdict->now)->nexthop;
    char before[160], after[160], what[IP_TEXT_SIZE + 32];
    const char *const again[] = {"an address of ", now->ifname,
                                 " can be used now, where there was none: ", after};
    const char *const cut[] = {"interface ",
                               base->ifname,
                               cut_text(verdict->cut),
                               ", the connection is bound to it: ",
                               before,
                               " → ",
                               after};
    const char *const lost[] = {"local address ", base->source,
                                " is on no interface, the route is ", after};
    const char *const source[] = {"source address ", base->source, " is gone: now ",
                                  now->source,       " on ",       after};
    const char *const moved[] = {what_changed(verdict->prefix, what, sizeof(what)), before, " → ",
                                 after};

    nexthop_text(base, before, sizeof(before));
    nexthop_text(now, after, sizeof(after));
    if (verdict->again)
        texts_join(text->reason, sizeof(text->reason), again, ARRAY_SIZE(again));
    else if (verdict->cut)
        texts_join(text->reason, sizeof(text->reason), cut, ARRAY_SIZE(cut));
    else if (!base->oif)
        texts_join(text->reason, sizeof(text->reason), lost, ARRAY_SIZE(lost));
    else if (nexthops_same(nexthops, verdict->base, verdict->now))
        texts_join(text->reason, sizeof(text->reason), source, ARRAY_SIZE(source));
    else
        texts_join(text->reason, sizeof(text->reason), moved, ARRAY_SIZE(moved));
}

bool verdict_same(const struct verdict_text *text, const struct verdict *verdict)
{
    const struct verdict *last = &text->verdict;

    if (!text->valid || last->base != verdict->base || last->now != verdict->now ||
        last->again != verdict->again || last->proof != verdict->proof || last->cut != verdict->cut)
        return false;
    return last->prefix == verdict->prefix ||
           (last->prefix && verdict->prefix && !strcmp(last->prefix, verdict->prefix));
}

void verdict_write(struct verdict_text *text, const struct nexthops *nexthops,
                   const struct verdict *verdict)
{
    static const char *const proofs[] = {
        [PROOF_NONE] = "",
        [PROOF_UNREACHABLE] = "unreachable",
        [PROOF_NO_CARRIER] = "no-carrier",
    };
    const struct nexthop *before = &nexthops_slot(nexthops, verdict->base)->nexthop;
    const struct nexthop *after = &nexthops_slot(nexthops, verdict->now)->nexthop;

    text->verdict = *verdict;
    text->valid = true;
    text->n_evidence = 0;
    evidence_add(text, "oif_before", before->ifname);
    evidence_add(text, "oif_after", after->ifname);
    evidence_add(text, "gateway_before", before->gateway);
    evidence_add(text, "gateway_after", after->gateway);
    evidence_add(text, "source_before", before->source);
    evidence_add(text, "source_after", after->source);
    evidence_add(text, "bound", verdict->cut ? before->ifname : "");
    evidence_add(text, "proof", proofs[verdict->proof]);
    reason_write(text, nexthops);
}
