/* SPDX-License-Identifier: Apache-2.0 */
#include "moves.h"

#include <stdio.h>
#include <string.h>

#include "util/util.h"

static void begins_at(struct move *move, const struct move_look *look)
{
    move->sent_packets = look->sent_packets;
    move->received = look->there ? look->received : 0;
    move->id = look->there ? look->id : 0;
    memcpy(move->seen_at, look->seen_at, sizeof(move->seen_at));
}

void move_begin(struct move *move, uint64_t token, const char *from, const char *to,
                const char *way, const uint8_t place[static 16], const struct move_look *look,
                uint64_t now_us, uint64_t timeout_us)
{
    *move = (struct move){
        .state = MOVE_SET,
        .token = token,
        .begun_us = now_us,
        .until_us = now_us + timeout_us,
        .patience_us = MOVES_PATIENCE_US,
        .was_answered = look->was_answered,
        .answers_us = look->answers_us,
    };
    if (look->pto_us != UINT64_MAX)
        move->patience_us = max_u64(MOVES_PATIENCE_US, MOVES_PTOS * look->pto_us);
    move->patience_us = max_u64(move->patience_us, look->answers_us);
    begins_at(move, look);
    memcpy(move->place, place, sizeof(move->place));
    memcpy(move->before, look->seen_at, sizeof(move->before));
    snprintf(move->way, sizeof(move->way), "%s", way);
    snprintf(move->from, sizeof(move->from), "%s", from);
    snprintf(move->to, sizeof(move->to), "%s", to);
}

void move_put_back(struct move *move, const struct move_look *look, uint64_t now_us)
{
    move->state = MOVE_RETURNED;
    move->begun_us = now_us;
    begins_at(move, look);
}

void move_end(struct move *move)
{
    move->state = MOVE_NONE;
    move->token = 0;
}

static enum move_verdict look_set(struct move *move, const struct move_look *look, uint64_t now_us)
{
    uint64_t sent = look->sent_packets - move->sent_packets;

    if (sent && !move->first_us)
        move->first_us = now_us;
    if (sent >= MOVES_TRIES && !move->enough_us)
        move->enough_us = now_us;
    /* A way that did not live is nothing to go back to: the server's answer may come yet. And
     * before one is due that it did not come says nothing of the new way. */
    if (!move->was_answered || !sent || now_us - move->first_us < move->answers_us)
        return now_us >= move->until_us ? MOVE_UNPROVEN : MOVE_GOES_ON;
    if (now_us >= move->until_us)
        return MOVE_PUT_BACK;
    return move->enough_us && now_us - move->first_us >= move->patience_us ? MOVE_PUT_BACK
                                                                           : MOVE_GOES_ON;
}

/* What came on the entry of before, which the way of before made, proves nothing of this one. The
 * kernel makes its id of the entry's address in memory, so that the next one may have it again. */
static bool is_answered(const struct move *move, const struct move_look *look)
{
    bool same = look->id == move->id && look->received >= move->received &&
                !memcmp(look->seen_at, move->seen_at, sizeof(move->seen_at));
    uint64_t before = same ? move->received : 0;

    if (!look->there || look->received <= before)
        return false;
    return move->state == MOVE_RETURNED ? !memcmp(look->seen_at, move->before, sizeof(move->before))
                                        : look->on_way;
}

enum move_verdict move_look(struct move *move, const struct move_look *look, uint64_t now_us)
{
    bool answered = is_answered(move, look);

    switch (move->state) {
    case MOVE_SET:
        return answered ? MOVE_PROVEN : look_set(move, look, now_us);
    case MOVE_RETURNED:
        if (answered && look->sent_packets > move->sent_packets)
            return MOVE_REFUSED;
        return now_us >= move->until_us ? MOVE_TIMEOUT : MOVE_GOES_ON;
    default:
        return MOVE_GOES_ON;
    }
}

/* ---- what flows show of each other ---- */

/* The last two flows that were answered there: one of them is another one than the one that asks.
 */
struct answered {
    uint8_t place[16];
    uint64_t conn[2], us[2]; /* the newer first; conn 0: none */
};

/* What a server did when a flow of it was moved. */
struct server {
    uint8_t family, address[16];
    uint16_t port;
    bool followed;
    unsigned refusals;
    uint64_t until_us; /* it is known so long; 0: no server */
};

struct moves {
    struct answered answered[MOVES_PLACES_MOST];
    size_t n_answered;
    struct server servers[MOVES_SERVERS_MOST];
};

struct moves *moves_new(void)
{
    return memory_new(1, sizeof(struct moves));
}

struct moves *moves_free(struct moves *moves)
{
    free(moves);
    return NULL;
}

static struct answered *answered_find(const struct moves *moves, const uint8_t place[static 16])
{
    for (size_t i = 0; i < moves->n_answered; i++)
        if (!memcmp(moves->answered[i].place, place, sizeof(moves->answered[i].place)))
            return (struct answered *)&moves->answered[i];
    return NULL;
}

/* A new place, or that of the address at which nothing was heard for longest. */
static struct answered *answered_new(struct moves *moves, const uint8_t place[static 16])
{
    struct answered *oldest = &moves->answered[0];

    if (moves->n_answered < MOVES_PLACES_MOST) {
        oldest = &moves->answered[moves->n_answered++];
    } else {
        for (size_t i = 1; i < moves->n_answered; i++)
            if (moves->answered[i].us[0] < oldest->us[0])
                oldest = &moves->answered[i];
    }
    *oldest = (struct answered){0};
    memcpy(oldest->place, place, sizeof(oldest->place));
    return oldest;
}

void moves_answered(struct moves *moves, const uint8_t place[static 16], uint64_t conn,
                    uint64_t now_us)
{
    struct answered *answered = answered_find(moves, place);

    if (!answered)
        answered = answered_new(moves, place);
    if (answered->conn[0] && answered->conn[0] != conn) {
        answered->conn[1] = answered->conn[0];
        answered->us[1] = answered->us[0];
    }
    answered->conn[0] = conn;
    answered->us[0] = now_us;
}

bool moves_others(const struct moves *moves, const uint8_t place[static 16], uint64_t conn,
                  uint64_t since_us, uint64_t now_us)
{
    const struct answered *answered = answered_find(moves, place);

    for (size_t i = 0; answered && i < ARRAY_SIZE(answered->conn); i++)
        if (answered->conn[i] && answered->conn[i] != conn && answered->us[i] > since_us &&
            answered->us[i] + MOVES_STILL_US >= now_us)
            return true;
    return false;
}

static bool server_is(const struct server *server, const struct flow_tuple *tuple)
{
    return server->family == tuple->family && server->port == tuple->dport &&
           !memcmp(server->address, tuple->daddr, sizeof(server->address));
}

/* NULL: nothing is known. */
static const struct server *server_find(const struct moves *moves, const struct flow_tuple *tuple,
                                        uint64_t now_us)
{
    for (size_t i = 0; i < ARRAY_SIZE(moves->servers); i++)
        if (moves->servers[i].until_us > now_us && server_is(&moves->servers[i], tuple))
            return &moves->servers[i];
    return NULL;
}

/* Its place, or that of the one of which nothing was seen for longest. */
static struct server *server_take(struct moves *moves, const struct flow_tuple *tuple,
                                  uint64_t now_us)
{
    struct server *server = (struct server *)server_find(moves, tuple, now_us);

    if (!server) {
        server = &moves->servers[0];
        for (size_t i = 1; i < ARRAY_SIZE(moves->servers); i++)
            if (moves->servers[i].until_us < server->until_us)
                server = &moves->servers[i];
        *server = (struct server){.family = tuple->family, .port = tuple->dport};
        memcpy(server->address, tuple->daddr, sizeof(server->address));
    }
    server->until_us = now_us + MOVES_FORBIDDEN_US;
    return server;
}

void moves_followed(struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us)
{
    struct server *server = server_take(moves, tuple, now_us);

    server->followed = true;
    server->refusals = 0;
}

bool moves_refused(struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us)
{
    struct server *server = server_take(moves, tuple, now_us);

    if (!server->followed)
        server->refusals++;
    return server->refusals >= MOVES_REFUSALS;
}

bool moves_is_forbidden(const struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us)
{
    const struct server *server = server_find(moves, tuple, now_us);

    return server && server->refusals >= MOVES_REFUSALS;
}
