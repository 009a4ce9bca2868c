/* SPDX-License-Identifier: Apache-2.0 */
/* Commands. An operator's move goes through the gate as all advice does. */
#include "command.h"

#include <stdio.h>

#include "base/cause.h"
#include "base/notice.h"
#include "configure.h"
#include "hold.h"
#include "liveness/effect.h"
#include "moves/advice.h"
#include "moves/decision.h"
#include "moves/move.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "stages/gate.h"
#include "stages/migration.h"
#include "state.h"
#include "uplinks/react.h"

static const char operator_name[] = "operator";

static void move(struct engine *engine, const struct event_command *command)
{
    struct peer *peer = command->peer ? peers_find_name(engine, command->peer) : NULL;
    const char *who = command->who ? command->who : "an operator";
    char reason[512];

    if (!peer) {
        notice_format(engine, PD_LEVEL_WARNING, "unknown-peer", "asked to move %s: no such peer",
                      command->peer ? command->peer : "(no name)");
        return;
    }
    if (command->via)
        snprintf(reason, sizeof(reason), "asked by %s, %s%s", who,
                 string_equal(command->via, "direct") ? "" : "over relay ", command->via);
    else
        snprintf(reason, sizeof(reason), "asked by %s", who);
    advice_give(engine, peer, operator_name,
                command->by == COMMAND_BY_RECONNECT ? REASON_BY_RECONNECT
                : command->by == COMMAND_BY_MIGRATE ? REASON_BY_MIGRATE
                                                    : REASON_BY_RULE,
                false,
                &(struct pd_advice){
                    .kind = PD_KIND_OPERATOR,
                    .reason = reason,
                    .interface = command->interface,
                    .local = command->local,
                    .via = command->via,
                });
}

/* A hold or release that is about an uplink. */
static bool hold_uplink(struct engine *engine, const struct event_command *command)
{
    uint64_t until_us = command->duration_us ? add_u64(engine->now_us, command->duration_us) : 0;
    bool known;

    if (!command->uplink)
        return false;
    known = command->type == COMMAND_HOLD
                ? react_hold(engine, command->uplink, until_us, command->who)
                : react_release(engine, command->uplink, command->who);
    if (!known)
        notice_format(engine, PD_LEVEL_WARNING, "unknown-uplink",
                      "asked to hold or release uplink %s: there is no such uplink",
                      command->uplink);
    return true;
}

/* The last turn: whatever is open ends in its record. */
static void stop(struct engine *engine)
{
    struct peer *peer;

    engine->stopping = true;
    polls_stop(engine);
    migration_stop(engine);
    effects_stop(engine);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        if (!peer->moves)
            continue;
        advice_forget(engine, peer);
        gate_stop(engine, peer);
        repeats_flush(engine, peer);
    }
    causes_close(engine, NULL);
    notices_flush(engine);
}

void command_run(struct engine *engine, const struct event_command *command)
{
    engine->missed = 0;
    switch (command->type) {
    case COMMAND_MOVE:
        move(engine, command);
        break;
    case COMMAND_HOLD:
        if (hold_uplink(engine, command))
            break;
        hold_begin(engine, command->peer,
                   command->duration_us ? add_u64(engine->now_us, command->duration_us) : 0);
        break;
    case COMMAND_RELEASE:
        if (hold_uplink(engine, command))
            break;
        hold_end(engine, command->peer);
        break;
    case COMMAND_MODE:
        hold_mode(engine, command->observe ? MODE_OBSERVE : MODE_ACTIVE);
        break;
    case COMMAND_CONFIG:
        configure_take(engine);
        break;
    case COMMAND_STOP:
        stop(engine);
        break;
    }
}
