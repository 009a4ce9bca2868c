/* SPDX-License-Identifier: Apache-2.0 */
/* See kernel.h. */
#include "kernel.h"

#include "util/hash.h"
#include "util/util.h"

void kernel_ifname(unsigned uplink, char text[static 16])
{
    snprintf(text, 16, "up%u", uplink);
}

void kernel_address(unsigned uplink, uint32_t port, char text[static 32])
{
    if (port)
        snprintf(text, 32, "10.0.%u.2:%u", uplink, 1024 + port % 60000);
    else
        snprintf(text, 32, "10.0.%u.2", uplink);
}

int kernel_uplink_named(const char *ifname)
{
    unsigned uplink;

    return sscanf(ifname, "up%u", &uplink) == 1 && uplink < UPLINKS_MAX ? (int)uplink : NO_UPLINK;
}

int kernel_uplink_of(const char *address)
{
    unsigned uplink;

    return sscanf(address, "10.0.%u.2", &uplink) == 1 && uplink < UPLINKS_MAX ? (int)uplink
                                                                              : NO_UPLINK;
}

static void add_number(struct kernel_answer *answer, const char *name, uint64_t number)
{
    answer->fields[answer->n_fields++] = (struct pd_field){.name = name, .number = number};
}

static void add_text(struct kernel_answer *answer, const char *name, const char *text)
{
    answer->fields[answer->n_fields++] = (struct pd_field){.name = name, .text = text};
}

static bool on_host(const struct world *world, int uplink)
{
    return uplink != NO_UPLINK && (unsigned)uplink < world->network.n_uplinks &&
           network_condition(&world->network, (unsigned)uplink)->address;
}

struct question {
    int source, bound;
    uint64_t token;
    bool has_source, has_bound;
    const char *address; /* is it on this host? NULL: a route is asked for */
};

static struct question question_read(const struct pd_query *query)
{
    struct question question = {.source = NO_UPLINK, .bound = NO_UPLINK};

    for (size_t i = 0; i < query->n_fields; i++) {
        const struct pd_field *field = &query->fields[i];

        if (!strcmp(field->name, "address")) {
            question.address = field->text;
        } else if (!strcmp(field->name, "source") && field->text) {
            question.has_source = true;
            question.source = kernel_uplink_of(field->text);
        } else if (!strcmp(field->name, "interface") && field->text) {
            question.has_bound = true;
            question.bound = kernel_uplink_named(field->text);
        } else if (!strcmp(field->name, "token")) {
            question.token = field->number;
        }
    }
    return question;
}

void kernel_answer(const struct world *world, const struct pd_query *query,
                   struct kernel_answer *answer)
{
    struct question question = question_read(query);
    bool gone = question.has_source && !on_host(world, question.source);
    int source = gone ? NO_UPLINK : question.source, egress;
    uint64_t token;

    *answer = (struct kernel_answer){.query = query->id, .kind = "answer"};
    if (question.address) {
        answer->kind = "address";
        add_number(answer, "on_host", on_host(world, kernel_uplink_of(question.address)));
        return;
    }
    egress = question.has_bound ? question.bound : network_route(&world->network, source);
    if (egress != NO_UPLINK && !network_usable(&world->network, (unsigned)egress))
        egress = NO_UPLINK;
    if (source == NO_UPLINK)
        source = egress;
    token = hash_step(
        hash_step(hash_step(HASH_START, (uint64_t)(egress + 1)), (uint64_t)(source + 1)), gone);
    token = (token ^ token >> 32) >> 16 | 1;
    add_number(answer, "token", token);
    if (question.token == token)
        return;
    if (egress == NO_UPLINK) {
        add_text(answer, "error", "ENETUNREACH");
    } else {
        kernel_ifname((unsigned)egress, answer->ifname);
        snprintf(answer->gateway, sizeof(answer->gateway), "10.0.%d.1", egress);
        kernel_address((unsigned)source, 0, answer->source);
        add_number(answer, "oif", (uint64_t)egress + 2);
        add_text(answer, "ifname", answer->ifname);
        add_text(answer, "gateway", answer->gateway);
        add_text(answer, "source", answer->source);
        add_text(answer, "prefix", "default");
    }
    if (gone)
        add_number(answer, "source_gone", 1);
}
