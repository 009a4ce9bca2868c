/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on the one stream of a connection: type, 16-bit length, body. H is who we are and
 * where to go on, D checked bytes, A how far they came, P a probe, R and S what is agreed about
 * relays. It only looks into H.
 */
#include "node.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* "boot" is ours; "peer_boot" and "rx_next": which process of the peer we have bytes of,
 * and how many, so that it goes on from there. */
static void hello_send(struct conn *c)
{
    const struct peer *p = c->peer;
    struct node *node = c->node;
    char listen[ADDRESS_TEXT_MAX];
    json_t *hello;
    char *text;

    hello = json_pack("{ss,ss,sI,ss,sI}", "name", node->options->name, "boot", node->boot, "epoch",
                      (json_int_t)(c->server ? p->epoch : c->epoch), "peer_boot",
                      p->rx_known ? p->boot : "", "rx_next", (json_int_t)p->rx_next);
    if (node->listening)
        json_object_set_new(hello, "listen",
                            json_string(address_text(&node->listen.local, listen)));
    if (node->options->n_relays > 0)
        json_object_set_new(hello, "relays", json_true());
    text = json_dumps(hello, JSON_COMPACT);
    json_decref(hello);
    if (text)
        frame_append(c, 'H', (uint8_t *)text, strlen(text));
    else
        c->failed = true;
    free(text);
    c->hello_sent = true;
}

void stream_begin(struct conn *c)
{
    if (ngtcp2_conn_open_bidi_stream(c->quic, &c->stream, NULL) != 0)
        c->failed = true;
    else
        hello_send(c);
}

static int get_string(json_t *object, const char *key, char *ret, size_t size, bool needed)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text || strlen(text) >= size)
        return needed || text ? -EPROTO : 0;
    strcpy(ret, text);
    return 0;
}

/* As the contract wants names: no control characters, C1 (C2 80 … C2 9F) neither. */
static bool name_valid(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
            return false;
    return name[0] != '\0';
}

static int hello_parse(struct conn *c, json_t *hello)
{
    json_t *epoch = json_object_get(hello, "epoch"), *rx_next = json_object_get(hello, "rx_next");
    char listen[ADDRESS_TEXT_MAX] = "";

    if (get_string(hello, "name", c->hello.name, sizeof(c->hello.name), true) < 0 ||
        get_string(hello, "boot", c->hello.boot, sizeof(c->hello.boot), true) < 0 ||
        get_string(hello, "peer_boot", c->hello.peer_boot, sizeof(c->hello.peer_boot), false) < 0 ||
        get_string(hello, "listen", listen, sizeof(listen), false) < 0 || !json_is_integer(epoch) ||
        json_integer_value(epoch) < 0 || !json_is_integer(rx_next) ||
        json_integer_value(rx_next) < 0 || !name_valid(c->hello.name) || !c->hello.boot[0])
        return -EPROTO;
    if (listen[0] && address_parse(listen, &c->hello.listen) < 0)
        return -EPROTO;
    c->hello.epoch = (uint64_t)json_integer_value(epoch);
    c->hello.rx_next = (uint64_t)json_integer_value(rx_next);
    c->hello.relays = json_is_true(json_object_get(hello, "relays"));
    return 0;
}

static int hello_received(struct conn *c, const uint8_t *body, size_t len)
{
    json_t *hello = json_loadb((const char *)body, len, 0, NULL);
    int r = hello_parse(c, hello);

    json_decref(hello);
    if (r < 0 || c->hello_received)
        return -EPROTO;
    if (strcmp(c->hello.name, c->node->options->name) == 0 ||
        (c->peer && strcmp(c->hello.name, c->peer->name) != 0)) {
        event(c->node, "wrong-name", "wanted=%s got=%s", c->peer ? c->peer->name : "another",
              c->hello.name);
        return -EPROTO;
    }
    if (c->server) {
        c->epoch = c->hello.epoch;
        c->peer = peer_get(c->node, c->hello.name);
        if (!c->peer)
            return -ENOMEM;
    }
    c->hello_received = true;
    peer_met(c);
    if (c->server)
        hello_send(c);
    return 0;
}

static int frame_received(struct conn *c, uint8_t type, const uint8_t *body, size_t len)
{
    if (type == 'H')
        return hello_received(c, body, len);
    if (!c->hello_received)
        return -EPROTO;
    if (type == 'D')
        return traffic_data(c->peer, body, len);
    if (type == 'P' && len == 0)
        return 0; /* QUIC acknowledges it, that was all */
    if (type == 'R')
        return agree_asked(c, body, len);
    if (type == 'S')
        return agree_answered(c, body, len);
    if (type != 'A' || len != 8)
        return -EPROTO;
    traffic_ack(c->peer, get_u64(body));
    return 0;
}

int stream_received(struct conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t take = sizeof(c->in) - c->in_len, pos = 0;

        if (take > len)
            take = len;
        memcpy(c->in + c->in_len, data, take);
        c->in_len += take;
        data += take;
        len -= take;
        while (c->in_len - pos >= FRAME_HEADER_BYTES) {
            size_t body = (size_t)c->in[pos + 1] << 8 | c->in[pos + 2];
            int r;

            if (body > FRAME_BODY_MAX)
                return -EPROTO;
            if (c->in_len - pos < FRAME_HEADER_BYTES + body)
                break;
            r = frame_received(c, c->in[pos], c->in + pos + FRAME_HEADER_BYTES, body);
            if (r < 0)
                return r;
            pos += FRAME_HEADER_BYTES + body;
        }
        memmove(c->in, c->in + pos, c->in_len - pos);
        c->in_len -= pos;
    }
    return 0;
}
