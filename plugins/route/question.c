/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy asks, as a lookup in the kernel.
 */
#include "source.h"

#include "util/util.h"

/* Somewhere out there, for the default next hop: a root name server, which no
 * list of bogus prefixes holds. Nothing is sent to it. */
static const uint8_t somewhere4[16] = {198, 41, 0, 4};
static const uint8_t somewhere6[16] = {0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, 0, 0,
                                       0,    0,    0,    0,    0,    0x02, 0, 0x30};

struct lookup lookup_other(const struct lookup *lookup)
{
    struct lookup other = *lookup;

    other.family = 6;
    memcpy(other.destination, somewhere6, sizeof(other.destination));
    return other;
}

void question_read(const struct netlink_state *state, const struct pd_query *query,
                   struct question *ret_question)
{
    struct question *question = ret_question;
    struct lookup *lookup = &question->lookup;
    uint64_t family = 0;
    const struct link_state *link;

    *question = (struct question){.id = query->id};
    for (size_t i = 0; i < query->n_fields; i++) {
        const struct pd_field *field = &query->fields[i];
        const char *name = field->name, *text = field->text;

        if (!strcmp(name, "destination") && text) {
            lookup->family = (uint8_t)ip_parse(text, lookup->destination);
        } else if (!strcmp(name, "source") && text) {
            lookup->source_family = (uint8_t)ip_parse(text, lookup->source);
        } else if (!strcmp(name, "address") && text) {
            question->is_address = true;
            lookup->source_family = (uint8_t)ip_parse(text, lookup->source);
        } else if (!strcmp(name, "interface") && text) {
            link = state_link_named(state, text);
            lookup->oif = link ? link->index : 0;
            question->no_such_link = !link;
        } else if (!strcmp(name, "family")) {
            family = field->number;
        } else if (!strcmp(name, "uid")) {
            lookup->has_uid = true;
            lookup->uid = (uint32_t)field->number;
        } else if (!strcmp(name, "mark")) {
            lookup->has_mark = true;
            lookup->mark = (uint32_t)field->number;
        } else if (!strcmp(name, "sport")) {
            lookup->sport = (uint16_t)field->number;
        } else if (!strcmp(name, "dport")) {
            lookup->dport = (uint16_t)field->number;
        } else if (!strcmp(name, "token")) {
            question->token = field->number;
        }
    }
    if (question->is_address || lookup->family)
        return;
    question->by_default = true;
    question->both_families = family != 4 && family != 6;
    lookup->family = family == 6 ? 6 : 4;
    memcpy(lookup->destination, family == 6 ? somewhere6 : somewhere4, 16);
}
