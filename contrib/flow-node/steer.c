/* SPDX-License-Identifier: Apache-2.0 */
/* Moves: asked for, set, proven or put back. */
#include "node_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "movable.h"
#include "util/printable.h"
#include "util/util.h"

#define ERROR_SIZE 256u
/* Of what pathdog wrote, for an answer. */
#define SHOWN_SIZE 64u

static void answer_error(struct node *node, struct flow *flow, int code, const char *why)
{
    pathdog_node_token token = flow->move.token;

    move_end(&flow->move);
    node->n_moving--;
    if (token)
        (void)pathdog_node_error(node->kit, token, code, why);
}

static struct move_look look_of(const struct node *node, const struct flow *flow)
{
    struct move_look look = {
        .there = flow->there,
        .id = flow->entry.id,
        .received = flow->entry.packets[FLOW_RECEIVED],
        .sent_packets = flow->before_packets[FLOW_SENT] + flow->entry.packets[FLOW_SENT],
        .was_answered = flow_is_answered(&node->settings, flow),
        .answers_us = flow->answers_us,
    };
    struct flow_row row;

    flow_row(&node->settings, flow, &row);
    look.pto_us = row.pto_us;

    memcpy(look.seen_at, flow->entry.seen_at, sizeof(look.seen_at));
    look.on_way = look.there && flow->move.state == MOVE_SET &&
                  mover_is_on(node->mover, flow->move.way, flow->tuple.family, look.seen_at);
    return look;
}

/* ---- a request ---- */

/* Where the routes lead it without us; false, with the reason: it is left alone. */
static bool route_of(struct node *node, const struct flow *flow, struct owner_route *ret,
                     char *ret_why, size_t why_size)
{
    int r;
    bool movable = flow_is_movable(node->owners, node->mover, flow, ret, ret_why, why_size, &r);

    if (r < 0)
        log_line(node->log, LOG_WARNING, "%s: the kernel did not say where the routes lead: %s",
                 flow->name, strerror(-r));
    return movable;
}

bool steer_may(struct node *node, const struct flow *flow)
{
    char why[ERROR_SIZE];
    struct owner_route route;

    return route_of(node, flow, &route, why, sizeof(why));
}

/* Do the routes lead it there, with an address that belongs there? Others' masquerade sees to that
 * for what is forwarded. */
static bool goes_by_routes(const struct node *node, const struct flow *flow, const char *route,
                           const struct uplink *uplink)
{
    return !strcmp(route, uplink->name) &&
           (flow->forwarded ||
            mover_is_on(node->mover, uplink->name, flow->tuple.family, flow->tuple.saddr));
}

/* Returns 0, or the code of the refusal, with the reason. */
static int uplink_find(struct node *node, const struct flow *flow,
                       const struct pathdog_node_migrate *request, const char *route,
                       struct uplink *ret, char *ret_why, size_t why_size)
{
    const char *interface = request->interface ? request->interface : route;
    struct flow_tuple wanted = {.family = flow->tuple.family};
    char text[TUPLE_END_SIZE], address[TUPLE_END_SIZE], shown[SHOWN_SIZE];

    if (!request->interface && !*route) {
        snprintf(ret_why, why_size, "no route leads to %s",
                 tuple_server_text(address, &flow->tuple));
        return PATHDOG_NODE_NO_PATH;
    }
    if (!mover_uplink(node->mover, interface, flow->tuple.family, ret)) {
        text_printable(shown, sizeof(shown), interface, strlen(interface));
        snprintf(ret_why, why_size,
                 "\"%s\" is no uplink for IPv%u: it needs a default route and an address of that "
                 "family, and uplinks of the settings must name it",
                 shown, (unsigned)flow->tuple.family);
        return PATHDOG_NODE_NO_PATH;
    }
    if (!request->local)
        return 0;
    memcpy(wanted.saddr, ret->address, sizeof(wanted.saddr));
    snprintf(text, sizeof(text), wanted.family == 4 ? "%.46s:0" : "[%.46s]:0", request->local);
    if (!strcmp(text, tuple_client_text(address, &wanted)))
        return 0;
    text_printable(shown, sizeof(shown), request->local, strlen(request->local));
    snprintf(ret_why, why_size, "\"%s\" is not the address of %s", shown, ret->name);
    return PATHDOG_NODE_NO_PATH;
}

static void set(struct node *node, struct flow *flow, const char *interface)
{
    snprintf(flow->interface, sizeof(flow->interface), "%s", interface);
    flow_rerouted(flow);
    node->uncommitted = true;
}

void steer_migrate(struct node *node, pathdog_node_token token,
                   const struct pathdog_node_migrate *request)
{
    struct flow *flow = flows_find_conn(node->flows, request->conn);
    char why[ERROR_SIZE], before[IF_NAMESIZE];
    struct owner_route route;
    struct move_look look;
    struct uplink uplink;
    const char *to;
    int r;

    if (!flow) {
        (void)pathdog_node_error(node->kit, token, PATHDOG_NODE_NO_CONN, NULL);
        return;
    }
    if (flow->move.state != MOVE_NONE) {
        (void)pathdog_node_error(node->kit, token, PATHDOG_NODE_BUSY, NULL);
        return;
    }
    if (moves_is_forbidden(node->moves, &flow->tuple, node->now_us)) {
        (void)pathdog_node_error(node->kit, token, PATHDOG_NODE_PEER_DISABLE_MIGRATION,
                                 "the server did not follow another flow that was moved");
        return;
    }
    if (!route_of(node, flow, &route, why, sizeof(why))) {
        (void)pathdog_node_error(node->kit, token, PATHDOG_NODE_NO_PATH, why);
        return;
    }
    r = uplink_find(node, flow, request, route.interface, &uplink, why, sizeof(why));
    if (r) {
        (void)pathdog_node_error(node->kit, token, r, why);
        return;
    }
    to = goes_by_routes(node, flow, route.interface, &uplink) ? "" : uplink.name;
    r = mover_set(node->mover, &flow->tuple, *to ? to : NULL);
    if (r < 0) {
        snprintf(why, sizeof(why), "it cannot be moved to %s: %s", uplink.name,
                 r == -ENOSPC ? "no mark is left for that uplink in mark-mask" : strerror(-r));
        (void)pathdog_node_error(node->kit, token, PATHDOG_NODE_NO_PATH, why);
        return;
    }
    snprintf(before, sizeof(before), "%s", flow->interface);
    look = look_of(node, flow);
    move_begin(&flow->move, token, before, to, uplink.name, uplink.address, &look, node->now_us,
               (uint64_t)request->timeout_ms * 1000);
    node->n_moving++;
    set(node, flow, to);
}

/* ---- how it ends ---- */

/* Back to where it was. */
static void put_back(struct node *node, struct flow *flow)
{
    const char *from = flow->move.from;
    struct uplink uplink;
    int r;

    /* That one is no uplink any more: then the routes decide. */
    if (*from && !mover_uplink(node->mover, from, flow->tuple.family, &uplink))
        from = "";
    r = mover_set(node->mover, &flow->tuple, *from ? from : NULL);
    if (r < 0)
        log_line(node->log, LOG_WARNING, "%s cannot be put back: %s", flow->name, strerror(-r));
    memcpy(flow->local, flow->move.before, sizeof(flow->local));
    set(node, flow, from);
    if (flow->move.was_answered)
        flow_returned(flow, node->now_us);
}

static void end_good(struct node *node, struct flow *flow, bool validated)
{
    pathdog_node_token token = flow->move.token;
    char local[TUPLE_END_SIZE];

    if (!validated) { /* nothing was sent there; the address is known, and most often the port */
        memcpy(flow->local, flow->move.place, sizeof(flow->local));
    }
    if (validated)
        moves_followed(node->moves, &flow->tuple, node->now_us);
    move_end(&flow->move);
    node->n_moving--;
    tell_path(node, flow);
    (void)pathdog_node_migrated(node->kit, token, tell_local(local, flow), validated);
}

/* Do other flows get answers on the new way, since this one sent enough there? */
static bool others_are_answered(const struct node *node, const struct flow *flow)
{
    const struct move *move = &flow->move;

    return move->enough_us &&
           moves_others(node->moves, move->place, flow->conn, move->enough_us, node->now_us);
}

/* Put back, and answered again: it is the server, or it was chance. Only where the new way carries
 * others is anything to be learnt of the server. */
static void end_refused(struct node *node, struct flow *flow)
{
    char server[TUPLE_END_SIZE];
    bool others = flow->move.others || others_are_answered(node, flow);

    tell_path(node, flow);
    if (!others || !moves_refused(node->moves, &flow->tuple, node->now_us)) {
        answer_error(node, flow, PATHDOG_NODE_TIMEOUT, NULL);
        return;
    }
    log_line(node->log, LOG_NOTICE,
             "%s: the server %s does not follow a flow to another address; it is not asked again "
             "for an hour",
             flow->name, tuple_server_text(server, &flow->tuple));
    answer_error(node, flow, PATHDOG_NODE_PEER_DISABLE_MIGRATION,
                 "no answer after the move, while other flows of that uplink were answered, and "
                 "answered again when put back");
}

/* The request stays open until an answer comes where it was: a further one before that would find a
 * flow without answers, and take the way of before for dead. */
static void end_put_back(struct node *node, struct flow *flow, const struct move_look *look)
{
    flow->move.others = others_are_answered(node, flow);
    put_back(node, flow);
    if (node->now_us < flow->move.until_us) {
        move_put_back(&flow->move, look, node->now_us);
        return;
    }
    answer_error(node, flow, PATHDOG_NODE_TIMEOUT, NULL);
    tell_path(node, flow);
}

void steer_look(struct node *node, struct flow *flow)
{
    struct move_look look = look_of(node, flow);

    switch (move_look(&flow->move, &look, node->now_us)) {
    case MOVE_PROVEN:
        end_good(node, flow, true);
        break;
    case MOVE_UNPROVEN:
        end_good(node, flow, false);
        break;
    case MOVE_PUT_BACK:
        end_put_back(node, flow, &look);
        break;
    case MOVE_TIMEOUT:
        answer_error(node, flow, PATHDOG_NODE_TIMEOUT, NULL);
        tell_path(node, flow);
        break;
    case MOVE_REFUSED:
        end_refused(node, flow);
        break;
    case MOVE_GOES_ON:
        break;
    }
}

void steer_cancel(struct node *node, pathdog_node_token token)
{
    for (size_t i = 0; i < flows_told(node->flows); i++) {
        struct flow *flow = flows_at(node->flows, i);

        if (flow->move.state == MOVE_NONE || flow->move.token != token)
            continue;
        if (flow->move.state == MOVE_SET)
            put_back(node, flow);
        answer_error(node, flow, PATHDOG_NODE_CANCELLED, NULL);
        return;
    }
}

void steer_forget(struct node *node, struct flow *flow)
{
    if (flow->move.state != MOVE_NONE)
        answer_error(node, flow, PATHDOG_NODE_NO_CONN, NULL);
    if (!flow->interface[0])
        return;
    (void)mover_set(node->mover, &flow->tuple, NULL);
    set(node, flow, "");
}

/* ---- the mover ---- */

/* Those of this turn are where the mover has them. */
static void turn_failed(struct node *node, const char *why)
{
    log_line(node->log, LOG_ERR, "flows could not be moved: %s", why);
    for (size_t i = 0; i < flows_told(node->flows); i++) {
        struct flow *flow = flows_at(node->flows, i);
        const char *where = mover_where(node->mover, &flow->tuple);

        snprintf(flow->interface, sizeof(flow->interface), "%s", where ? where : "");
        if (flow->move.state == MOVE_SET && !flow->move.committed)
            answer_error(node, flow, PATHDOG_NODE_NO_PATH, why);
    }
}

void steer_commit(struct node *node)
{
    char why[ERROR_SIZE] = "";
    int r;

    if (!node->uncommitted)
        return;
    node->uncommitted = false;
    r = mover_commit(node->mover, why, sizeof(why));
    if (r < 0) {
        turn_failed(node, *why ? why : strerror(-r));
        return;
    }
    for (size_t i = 0; node->n_moving && i < flows_told(node->flows); i++)
        flows_at(node->flows, i)->move.committed = true;
}

/* What the mover says in one turn: of thousands of flows there is one line for each uplink. */
struct news {
    struct node *node;
    size_t n_lost;
    char lost[IF_NAMESIZE]; /* the uplink of these */
};

static void lost_log(struct news *news)
{
    if (news->n_lost)
        log_line(news->node->log, LOG_NOTICE,
                 "%s is no uplink any more: %zu moved flows are back where the routes lead",
                 news->lost, news->n_lost);
    news->n_lost = 0;
}

static void on_lost(void *user, const struct flow_tuple *tuple, const char *interface)
{
    struct news *news = user;
    struct node *node = news->node;
    struct flow *flow = flows_find(node->flows, tuple);

    if (!flow)
        return;
    flow->interface[0] = '\0';
    flow_rerouted(flow);
    if (flow->state != FLOW_TOLD)
        return;
    if (strcmp(news->lost, interface) != 0)
        lost_log(news);
    snprintf(news->lost, sizeof(news->lost), "%s", interface);
    news->n_lost++;
    if (flow->move.state != MOVE_NONE)
        answer_error(node, flow, PATHDOG_NODE_NO_PATH, "the uplink has gone");
    tell_path(node, flow);
}

static void on_notice(void *user, const char *text)
{
    struct news *news = user;

    log_line(news->node->log, LOG_NOTICE, "%s", text);
}

void steer_process(struct node *node)
{
    static const struct mover_handlers handlers = {.lost = on_lost, .notice = on_notice};
    struct news news = {.node = node};
    int r = mover_process(node->mover, &handlers, &news);

    lost_log(&news);
    if (r < 0)
        log_line(node->log, LOG_WARNING, "the kernel's news could not be read: %s", strerror(-r));
}
