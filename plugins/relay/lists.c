/* SPDX-License-Identifier: Apache-2.0 */
/* The relays that are known, and the one that is picked. */
#include "policy.h"

#include "options.h"

#include "util/hex.h"
#include "util/util.h"

#include <stdio.h>

/* Of those that are left out, so many are named in one notice. */
#define NAMED 4u

bool relay_is_via(const char *via)
{
    return via && strcmp(via, "direct") != 0;
}

uint16_t relay_digest(const char *via)
{
    uint32_t hash = relay_hash((const uint8_t *)via, strlen(via));
    uint16_t digest = (uint16_t)(hash ^ hash >> 16);

    return digest ? digest : 1;
}

/* ---- options ---- */

static const char *key_take(struct relays *relays, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (!length)
        return NULL;
    if (!hex_is_bytes(text, length, RELAY_KEY_BYTES))
        return "key: not an even number of hexadecimal digits, 2 to 128";
    relays->n_key = hex_take(text, length, relays->key, RELAY_KEY_BYTES);
    return NULL;
}

/* NAME=ADDR:PORT[,speaks] */
static const char *word_take(struct relay_list *list, const char *word, size_t length,
                             enum relay_speaks speaks)
{
    char copy[RELAY_ENTRY_MAX];
    const char *error;
    char *comma;
    struct relay_entry *entry = &list->entries[list->count];

    if (length >= sizeof(copy))
        return "the entry is too long";
    if (list->count == RELAY_LIST_MAX)
        return "there are more than 64";
    memcpy(copy, word, length);
    copy[length] = '\0';
    comma = strrchr(copy, ',');
    if (comma && comma > strrchr(copy, '='))
        *comma = ' ';
    else
        comma = NULL;
    error = relay_entry_parse(copy, length, entry);
    if (error)
        return error;
    if (!comma)
        entry->speaks = speaks;
    if (relay_list_find(list, entry->name))
        return "a relay of that name stands before it";
    list->count++;
    return NULL;
}

static const char *words_take(struct relay_list *list, const char *text, enum relay_speaks speaks,
                              char *error, size_t size)
{
    static const char blanks[] = " \t\n";

    for (size_t length; text && *(text += strspn(text, blanks)); text += length) {
        const char *wrong;

        length = strcspn(text, blanks);
        wrong = word_take(list, text, length, speaks);
        if (!wrong)
            continue;
        snprintf(error, size, "relays: %.*s: %s", (int)min_u64(length, 80), text, wrong);
        return error;
    }
    return NULL;
}

const char *relays_start(struct relays *relays, const struct pd_start *start, char *error,
                         size_t size)
{
    const struct pd_value *values = start->values;
    const char *speaks = values[RELAY_OPTION_SPEAKS].text, *wrong;
    enum relay_speaks speak = RELAY_REG_ACK;

    relays->pick = RELAY_NO_PICK;
    if (speaks && relay_speaks_parse(speaks, strlen(speaks), &speak))
        return "speaks: allowed are reg-ack and pilot";
    wrong = key_take(relays, values[RELAY_OPTION_KEY].text);
    if (wrong)
        return wrong;
    return words_take(&relays->config, values[RELAY_OPTION_RELAYS].text, speak, error, size);
}

/* ---- the list ---- */

static const uint8_t *key_of(const struct relays *relays, size_t *ret_n)
{
    *ret_n = relays->n_key ? relays->n_key : relays->n_node_key;
    if (*ret_n)
        return relays->n_key ? relays->key : relays->node_key;
    *ret_n = strlen(relays->node_name);
    return (const uint8_t *)relays->node_name;
}

/* `before` was taken for its time, and so is not left for little; NULL: none was. */
static void pick_again(struct relays *relays, const struct relay_entry *before)
{
    uint64_t rtt_ns[RELAY_LIST_MAX];
    size_t n_key, n = relays->list.count, now = RELAY_NO_PICK;
    const uint8_t *key = key_of(relays, &n_key);

    for (size_t i = 0; i < n; i++) {
        rtt_ns[i] = relays->seen[i].rtt_ns;
        if (before && !strcmp(relays->list.entries[i].name, before->name))
            now = i;
    }
    relays->pick = relay_pick(n ? relay_pick_hash(key, n_key, n) : 0, rtt_ns, n, now, &relays->why);
}

/* What was picked by time, before something changes. */
static const struct relay_entry *taken_for_time(const struct relays *relays)
{
    return relays->pick != RELAY_NO_PICK && relays->why >= RELAY_WHY_FASTER
               ? &relays->list.entries[relays->pick]
               : NULL;
}

static void take_left_out(void *user, const struct relay_entry *entry, enum relay_from from,
                          enum relay_left_out why)
{
    struct relays *relays = user;
    size_t n = relays->left_out.count;

    if (why == RELAY_DUPLICATE || n == RELAY_LIST_MAX)
        return;
    relays->left_out.entries[n] = *entry;
    relays->left_out_froms[n] = from;
    relays->left_out_why[n] = why;
    relays->left_out.count++;
}

static void say_left_out(struct pd_turn *turn, const struct relays *relays)
{
    static const char *const words[] = {
        [RELAY_PRIVATE] = "is discovered, and has a private address",
        [RELAY_UNKNOWN] = "is none that the node knows",
        [RELAY_BEYOND] = "is one too many",
    };
    char text[NAMED * (60 + ADDRESS_TEXT_MAX + 64) + 64]; /* of each: name, address, the rest */
    size_t n = relays->left_out.count, used = 0;

    if (!n)
        return;
    for (size_t i = 0; i < n && i < NAMED; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.60s (%s, %s) %s",
                                 i ? "; " : "not used: ", relays->left_out.entries[i].name,
                                 relay_from_names[relays->left_out_froms[i]],
                                 relays->left_out.entries[i].address_text,
                                 words[relays->left_out_why[i]]);
    if (n > NAMED)
        snprintf(text + used, sizeof(text) - used, "; and %zu more", n - NAMED);
    turn->host->notice(turn, PD_LEVEL_NOTICE, "relay-left-out", text);
}

/* What was measured stays with its relay. */
static void carry(struct relays *relays, const struct relay_list *list,
                  const struct relay_seen *seen)
{
    for (size_t i = 0; i < relays->list.count; i++) {
        const struct relay_entry *entry = &relays->list.entries[i], *was;

        relays->seen[i] = (struct relay_seen){.rtt_ns = RELAY_NO_RTT};
        was = relay_list_find(list, entry->name);
        if (was && !strcmp(was->address_text, entry->address_text) && was->speaks == entry->speaks)
            relays->seen[i] = seen[was - list->entries];
    }
}

static void ask_probes(struct pd_turn *turn, struct relays *relays)
{
    char(*texts)[RELAY_ENTRY_MAX] = memory_new(relays->list.count, sizeof(*texts));
    struct pd_field fields[RELAY_LIST_MAX + 1] = {{.name = "ask", .text = "probe"}};
    struct pd_query query = {.id = ++relays->query, .fields = fields, .n_fields = 1};

    for (size_t i = 0; i < relays->list.count; i++) {
        relay_entry_format(&relays->list.entries[i], texts[i]);
        fields[query.n_fields++] = (struct pd_field){.name = "relay", .text = texts[i]};
    }
    turn->host->query(turn, &query);
    free(texts);
}

/* A copy of what there was, since it is large. */
struct before {
    struct relay_list list, left_out;
    struct relay_seen seen[RELAY_LIST_MAX];
    struct relay_entry taken;
};

void relays_merge(struct pd_turn *turn, struct relays *relays)
{
    const struct relay_list *node = relays->node_told ? &relays->node : NULL;
    const struct relay_entry *taken = taken_for_time(relays);
    struct before *before = memory_new(1, sizeof(*before));

    before->list = relays->list;
    before->left_out = relays->left_out;
    memcpy(before->seen, relays->seen, sizeof(before->seen));
    if (taken)
        before->taken = *taken;
    relays->list.count = relays->left_out.count = 0;
    relay_list_add(&relays->list, relays->froms, &relays->config, RELAY_FROM_CONFIG, node,
                   take_left_out, relays);
    relay_list_add(&relays->list, relays->froms, &relays->node, RELAY_FROM_NODE, node,
                   take_left_out, relays);
    relay_list_add(&relays->list, relays->froms, &relays->discovered, relays->discovered_from, node,
                   take_left_out, relays);
    carry(relays, &before->list, before->seen);
    pick_again(relays, taken ? &before->taken : NULL);
    if (!relay_list_is_equal(&relays->list, &before->list))
        ask_probes(turn, relays);
    if (!relay_list_is_equal(&relays->left_out, &before->left_out))
        say_left_out(turn, relays);
    free(before);
}

/* ---- what is told ---- */

static void add(struct relay_list *list, const struct relay_entry *entry)
{
    if (list->count < RELAY_LIST_MAX && !relay_list_find(list, entry->name))
        list->entries[list->count++] = *entry;
}

void relays_node(struct pd_turn *turn, struct relays *relays, const struct pd_relays *told)
{
    struct relay_entry entry;

    relays->node.count = 0;
    relays->node_told = told->told;
    for (size_t i = 0; i < told->n; i++) {
        const struct pd_relay *relay = &told->list[i];

        entry = (struct relay_entry){0};
        if (relay_name_check(relay->name, strlen(relay->name)) ||
            relay_address_parse(relay->address, strlen(relay->address), &entry) ||
            relay_speaks_parse(relay->speaks, strlen(relay->speaks), &entry.speaks))
            continue; /* a recording that somebody has edited */
        memcpy(entry.name, relay->name, strlen(relay->name) + 1);
        add(&relays->node, &entry);
    }
    relays->n_node_key = min_u64(told->n_key, RELAY_KEY_BYTES);
    if (relays->n_node_key)
        memcpy(relays->node_key, told->key, relays->n_node_key);
    relays_merge(turn, relays);
}

void relays_discovered(struct pd_turn *turn, struct relays *relays, const struct pd_signal *signal)
{
    struct relay_entry entry;

    relays->discovered.count = 0;
    relays->discovered_from = RELAY_FROM_FILE;
    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        if (!field->text)
            continue;
        if (!strcmp(field->name, "from") && !strcmp(field->text, "cache"))
            relays->discovered_from = RELAY_FROM_CACHE;
        if (!strcmp(field->name, "relay") &&
            !relay_entry_parse(field->text, strlen(field->text), &entry))
            add(&relays->discovered, &entry);
    }
    relays_merge(turn, relays);
}

void relays_measured(const struct pd_turn *turn, struct relays *relays,
                     const struct pd_signal *signal)
{
    const struct relay_entry *taken = taken_for_time(relays);
    struct relay_seen *seen = NULL;

    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        if (!strcmp(field->name, "name") && field->text) {
            const struct relay_entry *entry = relay_list_find(&relays->list, field->text);

            seen = entry ? &relays->seen[entry - relays->list.entries] : NULL;
            if (seen)
                *seen = (struct relay_seen){.rtt_ns = RELAY_NO_RTT, .probed_us = turn->now_us};
        } else if (seen && !strcmp(field->name, "rtt_ns") && !field->text) {
            seen->rtt_ns = field->number;
        } else if (seen && !strcmp(field->name, "error") && field->text) {
            snprintf(seen->error, sizeof(seen->error), "%.*s", (int)sizeof(seen->error) - 1,
                     field->text);
        }
    }
    pick_again(relays, taken);
}

/* ---- where to ---- */

/* Picks among those that are neither in use nor were tried; where all were, among those not in
 * use. */
static bool pick_other(const struct relays *relays, const char *via, uint16_t tried,
                       struct relay_target *ret)
{
    uint64_t rtt_ns[RELAY_LIST_MAX];
    size_t places[RELAY_LIST_MAX], n = 0, n_key, pick;
    const uint8_t *key = key_of(relays, &n_key);

    for (size_t i = 0; i < relays->list.count; i++) {
        const char *name = relays->list.entries[i].name;

        if ((via && !strcmp(name, via)) || (tried && relay_digest(name) == tried))
            continue;
        places[n] = i;
        rtt_ns[n++] = relays->seen[i].rtt_ns;
    }
    if (!n)
        return tried && pick_other(relays, via, 0, ret);
    pick = places[relay_pick(relay_pick_hash(key, n_key, n), rtt_ns, n, RELAY_NO_PICK, &ret->why)];
    ret->entry = &relays->list.entries[pick];
    ret->rtt_ns = relays->seen[pick].rtt_ns;
    ret->next = true;
    return true;
}

bool relays_target(const struct relays *relays, const char *via, uint16_t tried,
                   struct relay_target *ret)
{
    const struct relay_entry *pick;

    *ret = (struct relay_target){.rtt_ns = RELAY_NO_RTT};
    if (relays->pick == RELAY_NO_PICK)
        return false;
    pick = &relays->list.entries[relays->pick];
    if ((via && !strcmp(pick->name, via)) || (tried && relay_digest(pick->name) == tried))
        return pick_other(relays, via, tried, ret);
    ret->entry = pick;
    ret->rtt_ns = relays->seen[relays->pick].rtt_ns;
    ret->why = relays->why;
    return true;
}
