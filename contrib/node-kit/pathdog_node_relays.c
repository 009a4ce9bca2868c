/* SPDX-License-Identifier: Apache-2.0 */
/* The relays that the node can reach its peers over: kept here, and told to each client. */
#include "pathdog_node_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define KEY_DIGITS_MAX 128u

static bool name_is_valid(const char *name)
{
    if (!name || !name[0] || strlen(name) > 255 || strcmp(name, "direct") == 0)
        return false;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0)) /* C1 is C2 80 … C2 9F */
            return false;
    return true;
}

/* 1 to 65535, without a sign. */
static bool port_is_valid(const char *text)
{
    unsigned port = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        port = 10 * port + (unsigned)(*text - '0');
    return !*text && port > 0 && port <= UINT16_MAX;
}

static bool address_is_valid(const char *address)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 2], *zone;
    struct in6_addr ip;
    size_t length;

    if (!colon || (size_t)(colon - address) >= sizeof(host) || !port_is_valid(colon + 1))
        return false;
    length = (size_t)(colon - address);
    memcpy(host, address, length);
    host[length] = '\0';
    if (host[0] != '[')
        return inet_pton(AF_INET, host, &ip) == 1;
    if (host[length - 1] != ']')
        return false;
    host[length - 1] = '\0';
    zone = strchr(host, '%');
    if (zone && zone[1])
        *zone = '\0';
    return inet_pton(AF_INET6, host + 1, &ip) == 1;
}

static bool key_is_valid(const char *key)
{
    size_t length = strlen(key);

    return length > 0 && length <= KEY_DIGITS_MAX && length % 2 == 0 &&
           strspn(key, "0123456789abcdefABCDEF") == length;
}

/* NULL: not as the contract wants it. */
static json_t *relays_json(const struct pathdog_node_relay *relays, size_t n, const char *key)
{
    json_t *list = json_array(), *params = json_object();
    bool valid = n <= PATHDOG_NODE_RELAYS_MAX && (!key || key_is_valid(key));

    for (size_t i = 0; valid && i < n; i++) {
        const char *speaks = relays[i].speaks ? relays[i].speaks : "reg-ack";
        json_t *entry = NULL;

        if (name_is_valid(relays[i].relay) && address_is_valid(relays[i].address) &&
            (strcmp(speaks, "reg-ack") == 0 || strcmp(speaks, "pilot") == 0))
            entry = json_pack("{ss,ss,ss}", "relay", relays[i].relay, "address", relays[i].address,
                              "speaks", speaks);
        valid = entry && json_array_append_new(list, entry) == 0;
        for (size_t j = 0; valid && j < i; j++)
            valid = strcmp(relays[i].relay, relays[j].relay) != 0;
    }
    if (json_object_set_new(params, "relays", list) < 0 ||
        (key && json_object_set_new(params, "key", json_string(key)) < 0))
        valid = false;
    if (valid)
        return params;
    json_decref(params);
    return NULL;
}

int pathdog_node_relays(struct pathdog_node *kit, const struct pathdog_node_relay *relays, size_t n,
                        const char *key)
{
    json_t *params;

    if (!(kit->features & PATHDOG_NODE_RELAY))
        return -EINVAL;
    params = relays_json(relays, n, key);
    if (!params)
        return -EINVAL;
    json_decref(kit->relays);
    kit->relays = params;
    return kit_send_notification(kit, "relays", json_incref(params));
}
