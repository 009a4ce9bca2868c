/* SPDX-License-Identifier: Apache-2.0 */
/* The node and its connections, as they come and go. */
#include "connection.h"

#include <inttypes.h>

#include "base/notice.h"
#include "base/outbox.h"
#include "learnt-keep.h"
#include "liveness/effect.h"
#include "liveness/fallback.h"
#include "moves/advice.h"
#include "moves/again.h"
#include "moves/decision.h"
#include "moves/move.h"
#include "peers/index.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "peers/progress.h"
#include "peers/waiting.h"
#include "stages/deferred.h"
#include "stages/fate.h"
#include "stages/gate.h"
#include "stages/migration.h"
#include "state.h"
#include "triggers/relays.h"
#include "triggers/triggers.h"
#include "uplinks/members.h"
#include "uplinks/react.h"
#include "uplinks/return.h"

/* Everybody who knows the connection lets go of it, each saying what is open. */
static void remove_peer(struct engine *engine, struct peer *peer, const char *reason)
{
    name_lived(engine, peer->view.name, peer->up_us);
    triggers_peer(engine, peer, PD_PEER_DOWN);
    peer_set_state(engine, peer, PEER_GONE, NULL);
    gate_peer_gone(engine, peer);
    migration_peer_gone(engine, peer);
    effect_peer_gone(engine, peer);
    members_gone(engine, peer);
    if (peer->moves) {
        advice_forget(engine, peer);
        again_forget(engine, peer);
        fallback_off(engine, peer);
        repeats_flush(engine, peer);
        poll_remove(engine, peer);
    }
    peer_set_state(engine, peer, PEER_REMOVED, reason);
}

static void write_node_record(struct engine *engine, bool up, const char *reason)
{
    struct record *record = outbox_record(engine, RECORD_NODE);
    const struct node_state *node = &engine->node;

    record->node = (struct record_node){
        .up = up,
        .node = text_ref(node->name),
        .implementation = text_ref(node->implementation),
        .boot = text_ref(node->boot),
        .reason = text_new(reason),
    };
}

/* What the node did not tell is "" or NULL. */
static void set_text(struct text **text, const char *s)
{
    text_unref(*text);
    *text = s && *s ? text_new(s) : NULL;
}

void connection_node_up(struct engine *engine, const struct event_node_up *event)
{
    struct node_state *node = &engine->node;
    bool same_boot = node->boot && *event->boot && strcmp(node->boot->s, event->boot) == 0;
    struct peer *peer;

    if (node->up) /* the shell lost a node_down: nothing may stay open */
        connection_node_down(engine,
                             &(struct event_node_down){.reason = "the node sent hello again"});
    if (!same_boot)
        for (uint32_t i = 0; (peer = peers_next(engine, &i));)
            remove_peer(engine, peer, "the node restarted");
    node->up = true;
    node->reported = false;
    node->features = event->features;
    node->prefer_reconnect = event->prefer_reconnect;
    node->max_in_flight = event->max_in_flight;
    node->uid = event->uid;
    set_text(&node->name, event->node);
    set_text(&node->implementation, event->implementation);
    set_text(&node->boot, event->boot);
    set_text(&node->down_reason, NULL);
    learnt_node_up(engine);
    engine->peers_reported = 0;
    /* jitter differs between nodes, and is the same in a replay */
    waiting_seed(engine, hash_name(event->boot) ^ event->uid);
    moves_set_budget(engine, event->max_in_flight);
    write_node_record(engine, true, NULL);
    react_node_up(engine);
    triggers_node(engine, &(struct pd_node_event){
                              .node = event->node,
                              .uid = event->uid,
                              .same_boot = same_boot,
                          });
    relays_node_up(engine, same_boot);
}

void connection_node_down(struct engine *engine, const struct event_node_down *event)
{
    struct node_state *node = &engine->node;
    bool news = node->up || !node->down_reason || strcmp(node->down_reason->s, event->reason) != 0;
    struct peer *peer;

    if (news)
        write_node_record(engine, false, event->reason);
    set_text(&node->down_reason, event->reason);
    if (!node->up)
        return;
    node->up = node->reported = false;
    polls_stop(engine);
    react_node_down(engine);
    migration_link_lost(engine);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        peer_set_state(engine, peer, PEER_UNREPORTED, NULL);
        migration_peer_unreported(engine, peer);
        fate_peer_gone(engine, peer);
    }
}

void connection_snapshot(struct engine *engine)
{
    struct peer *peer;

    if (!engine->node.up || engine->node.reported)
        return;
    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (peer->state == PEER_UNREPORTED)
            remove_peer(engine, peer, "not told again");
    engine->node.reported = true;
    learnt_clear(engine);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        migration_link_back(engine, peer);
        if (peer->moves && !deadline_is_on(&peer->moves->remembered_deadline))
            advice_give_remembered(engine, peer);
    }
    polls_start(engine);
    return_look(engine);
}

/* Told by the node, not moved by us: what is held back was about the path before. */
static void path_changed(struct engine *engine, struct peer *peer)
{
    advice_disproved(engine, peer, PD_KIND_MOVED);
    again_forget(engine, peer);
    progress_path(peer);
    members_path(engine, peer);
    if (!peer_in_flight(peer))
        members_settled(peer);
    triggers_peer(engine, peer, PD_PEER_PATH);
}

/* The same connection once more: what was known of it stays. */
static void reported_again(struct engine *engine, struct peer *peer,
                           const struct event_peer_up *event)
{
    enum peer_state was = peer->state;
    bool moved;

    if (strcmp(peer->view.name, event->peer) != 0) {
        notice_format(engine, PD_LEVEL_WARNING, "bad-peer-up",
                      "conn %" PRIu64
                      " is %s and was reported as another peer: the report is ignored",
                      peer->view.conn, peer->view.name);
        return;
    }
    peer_set_able(peer, event->migratable, event->reconnectable);
    moves_peer_path(peer);
    moved = peer_set_path(peer, event->local, event->remote, event->via, event->interface);
    peer_set_state(engine, peer, PEER_UP, NULL);
    if (was == PEER_UNREPORTED) {
        engine->peers_reported++;
        progress_path(peer);
        triggers_peer(engine, peer, PD_PEER_TOLD);
    }
    if (moved)
        path_changed(engine, peer);
}

void connection_peer_up(struct engine *engine, const struct event_peer_up *event)
{
    struct peer *peer = peers_find(engine, event->conn);
    const struct learnt_peer *waiting;

    if (!engine->node.up)
        return;
    if (peer) {
        reported_again(engine, peer, event);
        return;
    }
    peer = peers_find_name(engine, event->peer);
    if (peer && peer->view.conn > event->conn) {
        engine->ignored++;
        return;
    }
    if (peer)
        remove_peer(engine, peer, "replaced by a newer connection");
    if (engine->peers.count >= engine->config->max_peers) {
        notice_format(engine, PD_LEVEL_WARNING, "too-many-peers",
                      "the node has more than max_peers (%u) peers: those beyond are not watched",
                      engine->config->max_peers);
        return;
    }
    engine->peers_reported++;
    peer = peer_add(engine, event);
    triggers_adopt(engine, peer);
    members_path(engine, peer);
    return_peer(engine, peer);
    waiting = learnt_take(engine, peer);
    migration_peer_up(engine, peer);
    effect_peer_up(engine, peer);
    triggers_peer(engine, peer, PD_PEER_UP);
    if (waiting)
        triggers_restore(engine, peer, waiting);
}

void connection_peer_down(struct engine *engine, const struct event_peer_down *event)
{
    struct peer *peer = peers_find(engine, event->conn);

    if (!peer || !engine->node.up) {
        engine->ignored++;
        return;
    }
    remove_peer(engine, peer, event->reason);
}

void connection_peer_path(struct engine *engine, const struct event_peer_path *event)
{
    struct peer *peer = peers_find(engine, event->conn);

    if (!peer || peer->state == PEER_UNREPORTED) {
        engine->ignored++;
        return;
    }
    moves_peer_path(peer);
    if (peer_set_path(peer, event->local, event->remote, event->via, event->interface))
        path_changed(engine, peer);
}

void connections_free(struct engine *engine)
{
    struct peer *peer;

    migration_forget(engine);
    effects_stop(engine);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        if (peer->moves) {
            advice_forget(engine, peer);
            reason_unref(deferred_take(engine, peer, NULL, NULL));
            again_forget(engine, peer);
            repeats_flush(engine, peer);
        }
        peer_texts_free(peer);
    }
}
