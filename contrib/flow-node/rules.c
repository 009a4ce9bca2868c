/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "util/util.h"

struct rules {
    struct rules_settings settings;
    unsigned shift, n_numbers;
    char interfaces[RULES_NUMBERS_MAX + 1][IFNAMSIZ];
    struct rtnl_event *found; /* rules, and routes in our tables */
    size_t n_found, found_capacity;
    struct rules_step *steps;
    size_t n_steps, steps_capacity;
};

int rules_new(const struct rules_settings *settings, struct rules **ret, char *ret_error,
              size_t error_size)
{
    unsigned shift = settings->mark_mask ? (unsigned)__builtin_ctz(settings->mark_mask) : 0;
    uint32_t numbers = settings->mark_mask >> shift;
    struct rules *rules;

    if (!numbers || (numbers & (numbers + 1))) {
        snprintf(ret_error, error_size,
                 "mark mask 0x%x: has to be bits that are beside each other, as 0x1f000000",
                 (unsigned)settings->mark_mask);
        return -EINVAL;
    }
    numbers = numbers < RULES_NUMBERS_MAX ? numbers : RULES_NUMBERS_MAX;
    if (settings->table < 256 || settings->table > UINT32_MAX - numbers) {
        snprintf(ret_error, error_size, "routing table %u: has to be from 256 to %u",
                 (unsigned)settings->table, (unsigned)(UINT32_MAX - numbers));
        return -EINVAL;
    }
    if (!settings->priority || settings->priority > 32764) {
        snprintf(ret_error, error_size,
                 "rule priority %u: has to be from 1 to 32764, before table main",
                 (unsigned)settings->priority);
        return -EINVAL;
    }
    if (settings->protocol <= RTPROT_STATIC) {
        snprintf(ret_error, error_size, "routing protocol number %u: has to be from 5 to 255",
                 (unsigned)settings->protocol);
        return -EINVAL;
    }
    rules = memory_new(1, sizeof(*rules));
    rules->settings = *settings;
    rules->shift = shift;
    rules->n_numbers = numbers;
    *ret = rules;
    return 0;
}

struct rules *rules_free(struct rules *rules)
{
    if (!rules)
        return NULL;
    free(rules->found);
    free(rules->steps);
    free(rules);
    return NULL;
}

/* ---- what there is ---- */

static bool table_is_ours(const struct rules *rules, uint32_t table)
{
    return table > rules->settings.table && table - rules->settings.table <= rules->n_numbers;
}

static bool is_ours(const struct rules *rules, const struct rtnl_event *event)
{
    return event->protocol == rules->settings.protocol;
}

void rules_begin(struct rules *rules)
{
    rules->n_found = 0;
}

void rules_take(struct rules *rules, const struct rtnl_event *event)
{
    if (event->kind != RTNL_RULE &&
        (event->kind != RTNL_ROUTE ||
         (!table_is_ours(rules, event->table) && !(is_ours(rules, event) && event->is_default))))
        return;
    rules->found = array_reserve(rules->found, &rules->found_capacity, rules->n_found + 1,
                                 sizeof(*rules->found));
    rules->found[rules->n_found++] = *event;
}

bool rules_concerned(const struct rules *rules, const struct rtnl_event *event)
{
    return (event->kind == RTNL_RULE || event->kind == RTNL_ROUTE) && is_ours(rules, event);
}

/* ---- numbers ---- */

void rules_adopt(struct rules *rules, const struct uplinks *uplinks)
{
    for (size_t i = 0; i < rules->n_found; i++) {
        const struct rtnl_event *route = &rules->found[i];
        const char *name;

        if (route->kind != RTNL_ROUTE || !is_ours(rules, route) || !route->n_hops ||
            !table_is_ours(rules, route->table))
            continue;
        name = uplinks_name(uplinks, route->hops[0].index);
        if (name)
            memcpy(rules->interfaces[route->table - rules->settings.table], name, IFNAMSIZ);
    }
}

/* Somebody else's routes in its table: another number, then. */
static bool number_is_spoilt(const struct rules *rules, unsigned number)
{
    for (size_t i = 0; i < rules->n_found; i++) {
        const struct rtnl_event *found = &rules->found[i];

        if (found->kind == RTNL_ROUTE && !is_ours(rules, found) &&
            found->table == rules->settings.table + number)
            return true;
    }
    return false;
}

static unsigned number_find(const struct rules *rules, const char *interface)
{
    for (unsigned n = 1; n <= rules->n_numbers; n++)
        if (!strncmp(rules->interfaces[n], interface, IFNAMSIZ))
            return n;
    return 0;
}

unsigned rules_number(struct rules *rules, const char *interface)
{
    unsigned number = number_find(rules, interface);

    if (number)
        return number;
    for (unsigned n = 1; n <= rules->n_numbers; n++) {
        if (rules->interfaces[n][0] || number_is_spoilt(rules, n))
            continue;
        snprintf(rules->interfaces[n], IFNAMSIZ, "%.*s", IFNAMSIZ - 1, interface);
        return n;
    }
    return 0;
}

const char *rules_interface(const struct rules *rules, unsigned number)
{
    return number && number <= rules->n_numbers && rules->interfaces[number][0]
               ? rules->interfaces[number]
               : NULL;
}

void rules_release(struct rules *rules, const char *interface)
{
    unsigned number = number_find(rules, interface);

    if (number)
        memset(rules->interfaces[number], 0, IFNAMSIZ);
}

uint32_t rules_mark(const struct rules *rules, unsigned number)
{
    return number << rules->shift;
}

/* ---- steps ---- */

static struct rules_step *step_add(struct rules *rules, enum rules_step_kind kind, uint8_t family,
                                   uint32_t table)
{
    struct rules_step *step;

    rules->steps = array_reserve(rules->steps, &rules->steps_capacity, rules->n_steps + 1,
                                 sizeof(*rules->steps));
    step = &rules->steps[rules->n_steps++];
    *step = (struct rules_step){
        .kind = kind, .family = family, .table = table, .settings = &rules->settings};
    return step;
}

static bool hop_is(const struct rtnl_hop *hop, const struct uplink *uplink)
{
    return hop->index == uplink->index && hop->gateway_family == uplink->gateway_family &&
           !memcmp(hop->gateway, uplink->gateway, sizeof(hop->gateway));
}

/* The uplink that a table is for; NULL: none. */
static const struct uplink *table_uplink(const struct rules *rules, const struct uplinks *uplinks,
                                         uint32_t table, uint8_t family)
{
    const char *name;

    if (!table_is_ours(rules, table))
        return NULL;
    name = rules_interface(rules, table - rules->settings.table);
    return name ? uplinks_find(uplinks, name, family) : NULL;
}

static bool route_is_right(const struct rules *rules, const struct uplinks *uplinks,
                           const struct rtnl_event *route)
{
    const struct uplink *uplink = table_uplink(rules, uplinks, route->table, route->family);

    return uplink && route->is_default && route->n_hops == 1 && hop_is(&route->hops[0], uplink);
}

static bool is_specific_first(const struct rules *rules, const struct rtnl_event *rule)
{
    return rule->inverted && !rule->mark && rule->mask == rules->settings.mark_mask &&
           rule->table == RT_TABLE_MAIN && !rule->suppress &&
           rule->priority == rules->settings.priority;
}

static bool rule_is_right(const struct rules *rules, const struct uplinks *uplinks,
                          const struct rtnl_event *rule)
{
    if (is_specific_first(rules, rule)) {
        for (unsigned n = 1; n <= rules->n_numbers; n++)
            if (table_uplink(rules, uplinks, rules->settings.table + n, rule->family))
                return true;
        return false;
    }
    return table_uplink(rules, uplinks, rule->table, rule->family) && !rule->inverted &&
           rule->mask == rules->settings.mark_mask && rule->suppress < 0 &&
           rule->mark == rules_mark(rules, rule->table - rules->settings.table) &&
           rule->priority == rules->settings.priority + 1;
}

static bool have_route(const struct rules *rules, const struct uplink *uplink, uint32_t table)
{
    for (size_t i = 0; i < rules->n_found; i++) {
        const struct rtnl_event *found = &rules->found[i];

        if (found->kind == RTNL_ROUTE && is_ours(rules, found) && found->table == table &&
            found->family == uplink->family && found->n_hops == 1 &&
            hop_is(&found->hops[0], uplink))
            return true;
    }
    return false;
}

static bool have_rule(const struct rules *rules, const struct uplinks *uplinks, uint8_t family,
                      uint32_t table)
{
    for (size_t i = 0; i < rules->n_found; i++) {
        const struct rtnl_event *found = &rules->found[i];

        if (found->kind == RTNL_RULE && is_ours(rules, found) && found->family == family &&
            found->table == table && rule_is_right(rules, uplinks, found))
            return true;
    }
    return false;
}

static void rule_add(struct rules *rules, const struct uplinks *uplinks, uint8_t family,
                     unsigned number)
{
    uint32_t table = number ? rules->settings.table + number : RT_TABLE_MAIN;
    struct rules_step *step;

    if (have_rule(rules, uplinks, family, table))
        return;
    step = step_add(rules, STEP_RULE_ADD, family, table);
    step->specific_first = !number;
    step->priority = rules->settings.priority + !!number;
    step->mark = rules_mark(rules, number);
    step->mask = rules->settings.mark_mask;
}

static void route_add(struct rules *rules, const struct uplink *uplink, uint32_t table)
{
    struct rules_step *step;

    if (have_route(rules, uplink, table))
        return;
    step = step_add(rules, STEP_ROUTE_ADD, uplink->family, table);
    step->hop.index = uplink->index;
    step->hop.gateway_family = uplink->gateway_family;
    memcpy(step->hop.gateway, uplink->gateway, sizeof(step->hop.gateway));
}

/* Ours that is not right. */
static void found_delete(struct rules *rules, const struct uplinks *uplinks,
                         const struct rtnl_event *found)
{
    struct rules_step *step;

    if (!is_ours(rules, found))
        return;
    if (found->kind == RTNL_RULE && !rule_is_right(rules, uplinks, found)) {
        step = step_add(rules, STEP_RULE_DELETE, found->family, found->table);
        step->priority = found->priority;
        step->mark = found->mark;
        step->mask = found->mask;
        step->specific_first = found->inverted;
    } else if (found->kind == RTNL_ROUTE && found->n_hops &&
               !route_is_right(rules, uplinks, found)) {
        step = step_add(rules, STEP_ROUTE_DELETE, found->family, found->table);
        step->hop = found->hops[0];
        step->metric = found->metric;
    }
}

const struct rules_step *rules_plan(struct rules *rules, const struct uplinks *uplinks,
                                    size_t *ret_count)
{
    size_t n_uplinks;
    const struct uplink *list = uplinks_list(uplinks, &n_uplinks);
    bool families[7] = {false};

    rules->n_steps = 0;
    for (size_t i = 0; i < n_uplinks; i++) {
        unsigned number = number_find(rules, list[i].name);
        uint32_t table = rules->settings.table + number;

        if (!number)
            continue;
        /* A table without its route lets flows fall to the routes; a rule without table, too. */
        route_add(rules, &list[i], table);
        if (!families[list[i].family])
            rule_add(rules, uplinks, list[i].family, 0);
        families[list[i].family] = true;
        rule_add(rules, uplinks, list[i].family, number);
    }
    for (size_t i = 0; i < rules->n_found; i++)
        found_delete(rules, uplinks, &rules->found[i]);
    *ret_count = rules->n_steps;
    return rules->steps;
}

/* ---- others ---- */

static bool rule_clashes(const struct rules *rules, const struct rtnl_event *rule, char *ret_text,
                         size_t size)
{
    const struct rules_settings *settings = &rules->settings;
    int ip = rule->family == 4 ? 4 : 6;

    if (rule->mask & settings->mark_mask && rule->mask != UINT32_MAX) {
        snprintf(ret_text, size,
                 "IPv%d rule %u of somebody else uses fwmark 0x%x/0x%x: its bits and those of mark "
                 "mask 0x%x overlap; set another mark mask",
                 ip, (unsigned)rule->priority, (unsigned)rule->mark, (unsigned)rule->mask,
                 (unsigned)settings->mark_mask);
        return true;
    }
    if (rule->priority == settings->priority || rule->priority == settings->priority + 1) {
        snprintf(ret_text, size,
                 "IPv%d rule %u of somebody else has the priority of the rules for moved flows; "
                 "set another rule priority",
                 ip, (unsigned)rule->priority);
        return true;
    }
    if (table_is_ours(rules, rule->table)) {
        snprintf(ret_text, size,
                 "IPv%d rule %u of somebody else leads to table %u, which is for moved flows; set "
                 "another table number",
                 ip, (unsigned)rule->priority, (unsigned)rule->table);
        return true;
    }
    return false;
}

bool rules_clash(const struct rules *rules, size_t *at, char *ret_text, size_t size)
{
    while (*at < rules->n_found) {
        const struct rtnl_event *found = &rules->found[(*at)++];

        if (is_ours(rules, found))
            continue;
        if (found->kind == RTNL_RULE && rule_clashes(rules, found, ret_text, size))
            return true;
        if (found->kind == RTNL_ROUTE) {
            snprintf(ret_text, size,
                     "table %u has an IPv%d route of somebody else; that number is left out, set "
                     "another table number",
                     (unsigned)found->table, found->family == 4 ? 4 : 6);
            return true;
        }
    }
    return false;
}
