/* SPDX-License-Identifier: Apache-2.0 */
/* See move.h. */
#include "move.h"

#include "host.h"
#include "stack.h"

#include "util/util.h"

static void answer(struct world *world, struct conn *conn, int code)
{
    uint64_t request = conn->move.request;

    conn->move.request = 0;
    if (request)
        world_news(world, &(struct news){.type = NEWS_ANSWER,
                                         .conn = conn,
                                         .request = request,
                                         .code = code,
                                         .validated = !code});
}

static void path_take(struct world *world, struct conn *conn, const struct path *path)
{
    stack_path(world, &conn->host, path);
    stack_ping(world, &conn->host);
    world_news(world, &(struct news){.type = NEWS_PATH, .conn = conn});
    stack_flush(world, &conn->host);
}

/* Nothing came for two PTOs though something is outstanding. */
static bool silent(const struct world *world, const struct end *end)
{
    return end->recovery.in_flight &&
           host_now(world) > end->heard_us + 2 * recovery_pto_us(&end->recovery);
}

static void immediate(struct world *world, struct conn *conn)
{
    conn->move.immediate = true;
    conn->move.escalate_us = NEVER;
    path_take(world, conn, &conn->move.path);
}

void move_begin(struct world *world, struct conn *conn, const struct path *path,
                uint64_t timeout_us, uint64_t request)
{
    uint64_t pto_us = recovery_pto_us(&conn->host.recovery), now_us = host_now(world);
    bool at_once = silent(world, &conn->host);

    conn->move = (struct move){
        .active = true,
        .request = request,
        .path = *path,
        .old = conn->host.path,
        .begun_us = now_us,
        .deadline_us = now_us + timeout_us,
        .escalate_us = at_once ? NEVER : now_us + 2 * pto_us,
        .gap_us = max_u64(pto_us, 100 * MS),
        .challenge_us = now_us + max_u64(pto_us, 100 * MS),
        .token = request,
    };
    stack_challenge(world, conn);
    if (at_once)
        immediate(world, conn);
    else
        stack_ping(world, &conn->host); /* does the old path live? */
    stack_arm(world, &conn->host);
}

void move_validated(struct world *world, struct conn *conn, uint64_t token)
{
    struct move *move = &conn->move;

    if (!move->active || move->token != token)
        return;
    move->active = false;
    if (!move->immediate)
        path_take(world, conn, &move->path);
    answer(world, conn, 0);
}

static void move_failed(struct world *world, struct conn *conn, int code)
{
    struct move *move = &conn->move;

    answer(world, conn, code);
    move->active = false;
    if (move->immediate)
        path_take(world, conn, &move->old);
}

void move_cancel(struct world *world, struct conn *conn)
{
    move_failed(world, conn, HOST_CANCELLED);
}

void move_timer(struct world *world, struct conn *conn)
{
    struct move *move = &conn->move;
    uint64_t now_us = host_now(world);

    if (!move->active)
        return;
    if (now_us >= move->deadline_us) {
        move_failed(world, conn, HOST_TIMEOUT);
        return;
    }
    if (now_us >= move->challenge_us) {
        move->gap_us *= 2;
        move->challenge_us = now_us + move->gap_us;
        stack_challenge(world, conn);
    }
    if (now_us < move->escalate_us)
        return;
    move->escalate_us = NEVER;
    if (conn->host.heard_us <= move->begun_us)
        immediate(world, conn);
}

uint64_t move_deadline(const struct conn *conn)
{
    const struct move *move = &conn->move;

    if (!move->active)
        return NEVER;
    return min_u64(move->deadline_us, min_u64(move->challenge_us, move->escalate_us));
}

void move_drop(struct world *world, struct conn *conn)
{
    answer(world, conn, HOST_NO_CONN);
    conn->move.active = false;
}
