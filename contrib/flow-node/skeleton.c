/* SPDX-License-Identifier: Apache-2.0 */
#include "skeleton.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "elements.h"

__attribute__((format(printf, 2, 3))) static void text_put(struct buffer *out, const char *format,
                                                           ...)
{
    va_list arguments;
    char line[512];

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_text(out, line);
}

static void chain_rule_put(const struct skeleton *skeleton, struct buffer *out, uint32_t mark)
{
    text_put(out, "meta mark set meta mark & 0x%08" PRIx32 " | 0x%08" PRIx32, ~skeleton->mark_mask,
             mark);
}

static void element_put(struct buffer *out, const struct flow_tuple *flow, const char *interface)
{
    char saddr[INET6_ADDRSTRLEN], daddr[INET6_ADDRSTRLEN], chain[CHAIN_NAME_SIZE];
    int family = flow->family == 4 ? AF_INET : AF_INET6;

    inet_ntop(family, flow->saddr, saddr, sizeof(saddr));
    inet_ntop(family, flow->daddr, daddr, sizeof(daddr));
    text_put(out, "%s . %s . %u . %u : goto %s,\n", saddr, daddr, (unsigned)flow->sport,
             (unsigned)flow->dport, chain_name(chain, interface));
}

static void sets_put(struct buffer *out, uint8_t family)
{
    const char *address = family == 4 ? "ipv4_addr" : "ipv6_addr";
    char key[96];

    snprintf(key, sizeof(key), "type %s . %s . inet_service . inet_service", address, address);
    text_put(out, "map %s { %s : verdict; }\n", element_set_name(SET_FLOWS, family), key);
    text_put(out, "set %s { %s; }\n", element_set_name(SET_HOLD, family), key);
    text_put(out, "map %s { %s : %s; }\n", element_set_name(SET_LATE, family), key, address);
    text_put(out, "map %s { %s : inet_service; }\n", element_set_name(SET_LATE_PORT, family), key);
}

/* For both families: what is done with the packet of which the key is in a set. */
static void lookups_put(struct buffer *out, bool address_set, const char *before, const char *verb,
                        enum element_set set, const char *after)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        const char *ip = family == 4 ? "ip" : "ip6";

        text_put(out, "%s%s", address_set ? ip : "", before);
        text_put(out, "%s saddr . %s daddr . udp sport . udp dport %s@%s%s\n", ip, ip, verb,
                 element_set_name(set, family), after);
    }
}

/* A packet whose flow is known to conntrack and not marked as moved is let through at once: looking
 * for it in the map would cost a gateway a fifth of its forwarding. */
static void moved_put(const struct skeleton *skeleton, struct buffer *out)
{
    text_put(out, "ct state established ct mark & 0x%08" PRIx32 " == 0 return\n",
             skeleton->mark_mask);
    lookups_put(out, false, "", "vmap ", SET_FLOWS, "");
}

static void chains_put(const struct skeleton *skeleton, struct buffer *out)
{
    text_put(out, "chain late_port {\n");
    lookups_put(out, false, "udp dport set ", "map ", SET_LATE_PORT, "");
    text_put(out, "}\nchain late_look {\n");
    lookups_put(out, true, " daddr set ", "map ", SET_LATE, " notrack jump late_port");
    lookups_put(out, false, "", "", SET_HOLD, " notrack");
    text_put(out, "}\nchain hold_look {\n");
    lookups_put(out, false, "", "", SET_HOLD, " notrack");
    text_put(out, "}\nchain forwarded {\n"
                  "type filter hook prerouting priority -140; policy accept;\n");
    moved_put(skeleton, out);
    text_put(out, "}\nchain own {\n"
                  "type route hook output priority -140; policy accept;\n");
    moved_put(skeleton, out);
    text_put(out,
             "}\nchain sources {\n"
             "type nat hook postrouting priority 90; policy accept;\n"
             "meta mark & 0x%08" PRIx32 " != 0 meta l4proto udp ct mark set ct mark | 0x%08" PRIx32
             " masquerade\n}\n",
             skeleton->mark_mask, skeleton->mark_mask);
}

void skeleton_write(const struct skeleton *skeleton, struct buffer *out,
                    const char *(*uplink)(void *user, unsigned i, uint32_t *ret_mark),
                    const struct flow_tuple *(*next)(void *user, const char **ret_interface),
                    void *user)
{
    char chain[CHAIN_NAME_SIZE];
    const struct flow_tuple *flow;
    const char *interface;
    uint32_t mark;

    text_put(out, "table inet %s {}\ndelete table inet %s\ntable inet %s {\n", skeleton->table,
             skeleton->table, skeleton->table);
    sets_put(out, 4);
    sets_put(out, 6);
    for (unsigned i = 0; (interface = uplink(user, i, &mark)); i++) {
        text_put(out, "chain %s { ", chain_name(chain, interface));
        chain_rule_put(skeleton, out, mark);
        text_put(out, "; }\n");
    }
    chains_put(skeleton, out);
    text_put(out, "}\n");
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct buffer elements = {0};

        while ((flow = next(user, &interface)))
            if (flow->family == family)
                element_put(&elements, flow, interface);
        if (elements.length) {
            text_put(out, "add element inet %s %s {\n", skeleton->table,
                     element_set_name(SET_FLOWS, family));
            buffer_append(out, buffer_bytes(&elements), elements.length);
            text_put(out, "}\n");
        }
        buffer_clear(&elements);
    }
}

void skeleton_chain(const struct skeleton *skeleton, struct buffer *out, const char *interface,
                    uint32_t mark)
{
    char chain[CHAIN_NAME_SIZE];

    chain_name(chain, interface);
    text_put(out, "add chain inet %s %s\nflush chain inet %s %s\nadd rule inet %s %s ",
             skeleton->table, chain, skeleton->table, chain, skeleton->table, chain);
    chain_rule_put(skeleton, out, mark);
    text_put(out, "\n");
}

void skeleton_chain_remove(const struct skeleton *skeleton, struct buffer *out,
                           const char *interface)
{
    char chain[CHAIN_NAME_SIZE];

    text_put(out, "delete chain inet %s %s\n", skeleton->table, chain_name(chain, interface));
}

void skeleton_remove(const struct skeleton *skeleton, struct buffer *out)
{
    text_put(out, "table inet %s {}\ndelete table inet %s\n", skeleton->table, skeleton->table);
}
