/* SPDX-License-Identifier: Apache-2.0 */
/* The relays that the node can reach its peers over: kept here, and told to each client. */
#include "pathdog_node_private.h"

#include <errno.h>
#include <string.h>

static bool name_is_valid(const char *name)
{
    if (!name || !name[0] || strlen(name) > 255 || strcmp(name, "direct") == 0)
        return false;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0)) /* C1 is C2 80 … C2 9F */
            return false;
    return true;
}

/* NULL: not as the contract wants it. */
static json_t *relays_json(const struct pathdog_node_relay *relays, size_t n, const char *key)
{
    json_t *list = json_array(), *params = json_object();
    bool valid = n <= PATHDOG_NODE_RELAYS_MAX;

    for (size_t i = 0; valid && i < n; i++) {
        const char *speaks = relays[i].speaks ? relays[i].speaks : "reg-ack";
        json_t *entry = NULL;

        if (name_is_valid(relays[i].relay) && relays[i].address)
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
