/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface's definition. Members have the names that they have on the control socket, and mean
 * the same: docs/control.md and docs/records.md say what.
 */
#include "interface.h"

#define TEXT(name)         SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0)
#define TEXT_NULL(name)    SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, SD_VARLINK_NULLABLE)
#define TEXTS(name)        SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, SD_VARLINK_ARRAY)
#define INT(name)          SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_INT, 0)
#define INT_NULL(name)     SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_INT, SD_VARLINK_NULLABLE)
#define INTS(name)         SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_INT, SD_VARLINK_ARRAY)
#define FLAG(name)         SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_BOOL, 0)
#define FLAG_NULL(name)    SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE)
#define ANY(name)          SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_OBJECT, 0)
#define ANY_NULL(name)     SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_OBJECT, SD_VARLINK_NULLABLE)
#define A(name, type)      SD_VARLINK_DEFINE_FIELD_BY_TYPE(name, type, 0)
#define A_NULL(name, type) SD_VARLINK_DEFINE_FIELD_BY_TYPE(name, type, SD_VARLINK_NULLABLE)
#define SOME(name, type)   SD_VARLINK_DEFINE_FIELD_BY_TYPE(name, type, SD_VARLINK_ARRAY)
#define VALUE(name)        SD_VARLINK_DEFINE_ENUM_VALUE(name)

#define IN_TEXT(name)          SD_VARLINK_DEFINE_INPUT(name, SD_VARLINK_STRING, 0)
#define IN_TEXT_NULL(name)     SD_VARLINK_DEFINE_INPUT(name, SD_VARLINK_STRING, SD_VARLINK_NULLABLE)
#define IN_INT_NULL(name)      SD_VARLINK_DEFINE_INPUT(name, SD_VARLINK_INT, SD_VARLINK_NULLABLE)
#define IN_FLAG_NULL(name)     SD_VARLINK_DEFINE_INPUT(name, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE)
#define IN_A(name, type)       SD_VARLINK_DEFINE_INPUT_BY_TYPE(name, type, 0)
#define IN_A_NULL(name, type)  SD_VARLINK_DEFINE_INPUT_BY_TYPE(name, type, SD_VARLINK_NULLABLE)
#define OUT_TEXT(name)         SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_STRING, 0)
#define OUT_TEXT_NULL(name)    SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_STRING, SD_VARLINK_NULLABLE)
#define OUT_TEXTS(name)        SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_STRING, SD_VARLINK_ARRAY)
#define OUT_INT(name)          SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_INT, 0)
#define OUT_INT_NULL(name)     SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_INT, SD_VARLINK_NULLABLE)
#define OUT_FLAG(name)         SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_BOOL, 0)
#define OUT_FLAG_NULL(name)    SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE)
#define OUT_ANY_NULL(name)     SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_OBJECT, SD_VARLINK_NULLABLE)
#define OUT_A(name, type)      SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(name, type, 0)
#define OUT_A_NULL(name, type) SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(name, type, SD_VARLINK_NULLABLE)
#define OUT_SOME(name, type)   SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(name, type, SD_VARLINK_ARRAY)

#define SAYS(text) SD_VARLINK_FIELD_COMMENT(text)

/* ---- words ---- */

static SD_VARLINK_DEFINE_ENUM_TYPE(Mode, VALUE(active), VALUE(observe));
static SD_VARLINK_DEFINE_ENUM_TYPE(Means, VALUE(migrate), VALUE(reconnect));

/* ---- the status ---- */

static SD_VARLINK_DEFINE_STRUCT_TYPE(Node, TEXT(path), SAYS("up, snapshot or down"), TEXT(state),
                                     TEXT_NULL(reason), INT_NULL(silent_us), TEXT_NULL(name),
                                     TEXT_NULL(implementation), TEXT_NULL(boot), TEXTS(features),
                                     TEXT(prefer));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Trigger, TEXT(trigger), SAYS("open or closed"), TEXT(state),
                                     INT(failures), TEXT_NULL(socket));
static SD_VARLINK_DEFINE_STRUCT_TYPE(PeerCounts, INT(up), INT(gone), INT(untold), INT(client),
                                     INT(server), INT(fixed), INT(disabled), INT(measured),
                                     INT(silent), INT(unseen), INT(moving), INT(idle), INT(watched),
                                     INT(cooling), INT(held),
                                     SAYS("not null: there are more peers than were counted"),
                                     INT_NULL(next));
static SD_VARLINK_DEFINE_STRUCT_TYPE(UnwellUplink, TEXT(uplink), TEXT(state));
static SD_VARLINK_DEFINE_STRUCT_TYPE(UplinkCounts, INT(known), SOME(unwell, UnwellUplink));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Requests, INT(open), INT(queued), INT(waiting), INT(budget));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Reason, TEXT(what), SAYS("note, look or broken"), TEXT(grade),
                                     TEXT(text));
static SD_VARLINK_DEFINE_STRUCT_TYPE(
    Status, TEXT(version), TEXT(run), A(node, Node), TEXTS(columns), INT(rounds), A(mode, Mode),
    FLAG(all_held), INT_NULL(held_left_us), SOME(triggers, Trigger), INT(n_peers),
    A(peers, PeerCounts), A(uplinks, UplinkCounts), A(requests, Requests), INT(judged),
    INT(remembered), INT(decisions), INT(ignored_events),
    SAYS("what is wrong, and why nothing can happen where that is so; empty: all is well"),
    SOME(reasons, Reason));

/* ---- peers, uplinks, relays ---- */

#define PEER_FIELDS                                                                                \
    TEXT(peer), INT(conn), SAYS("up, gone or untold"), TEXT(state),                                \
        SAYS("silent, gone, unseen, untold, moving, new, idle or up"), TEXT(condition),            \
        INT_NULL(silent_us), TEXT(role), TEXT_NULL(local), TEXT_NULL(interface),                   \
        TEXT_NULL(uplink), TEXT_NULL(remote), TEXT_NULL(via), FLAG(migratable),                    \
        FLAG(reconnectable), FLAG(held), SAYS("queued, asked or waiting"), TEXT_NULL(move),        \
        INT(up_us), INT_NULL(looked_us), INT_NULL(srtt_us), INT_NULL(latest_rtt_us),               \
        INT_NULL(rttvar_us), INT_NULL(rtt_samples), INT_NULL(bytes_sent),                          \
        INT_NULL(bytes_received), INT(in_flight_bytes)

static SD_VARLINK_DEFINE_STRUCT_TYPE(Peer, PEER_FIELDS);
static SD_VARLINK_DEFINE_STRUCT_TYPE(Proof, INT(good), INT(needed), INT(over_us));
static SD_VARLINK_DEFINE_STRUCT_TYPE(LastChange, TEXT(change), TEXT(reason), INT_NULL(ago_us));

#define UPLINK_STATE_FIELDS                                                                        \
    SAYS("absent, no-carrier, no-address, no-route, held, penalty, unproven or up"), TEXT(state),  \
        TEXT(condition), INT(for_us), FLAG(held), INT_NULL(held_left_us), INT(penalty_us),         \
        FLAG(unproven), A_NULL(proof, Proof), A_NULL(last, LastChange)

static SD_VARLINK_DEFINE_STRUCT_TYPE(UplinkState, UPLINK_STATE_FIELDS);
static SD_VARLINK_DEFINE_STRUCT_TYPE(Uplink, TEXT(uplink), TEXT(interface), TEXT(class),
                                     FLAG(configured), UPLINK_STATE_FIELDS, TEXTS(routes),
                                     INT(peers), INT(silent), INT_NULL(srtt_us), INT_NULL(rtt_us),
                                     INT_NULL(heard_us));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Relay, TEXT(relay), TEXT_NULL(address), TEXT_NULL(speaks),
                                     TEXT_NULL(from), TEXT_NULL(trigger), TEXT_NULL(left_out),
                                     INT_NULL(rtt_us), TEXT_NULL(error), INT_NULL(probed_us),
                                     FLAG(pick), TEXT_NULL(why), INT(peers));
static SD_VARLINK_DEFINE_STRUCT_TYPE(RelayedPeer, TEXT(peer), INT(conn), TEXT(relay),
                                     TEXT_NULL(trigger), TEXT_NULL(rule), FLAG(pinned),
                                     INT_NULL(silent_us), INT_NULL(srtt_us), INT_NULL(lease_ms),
                                     INT_NULL(lease_sent_bytes), INT_NULL(lease_received_bytes));

/* ---- why ---- */

static SD_VARLINK_DEFINE_STRUCT_TYPE(Waiting, INT(cooldown_us), INT(cooling_left_us),
                                     INT(backoff_migrate_left_us), INT(backoff_reconnect_left_us),
                                     INT(tokens), INT(tokens_most), INT(token_in_us),
                                     INT(reconnect_gap_left_us));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Watch, FLAG(on), INT(left_us), TEXT_NULL(dial), TEXT_NULL(why),
                                     INT_NULL(after_us));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Membership, TEXT(trigger), TEXT(state), TEXT_NULL(text));
static SD_VARLINK_DEFINE_STRUCT_TYPE(GateRow, TEXT(verdict), TEXT(text));
static SD_VARLINK_DEFINE_STRUCT_TYPE(GateAnswer, SAYS("of advice of this kind, given now"),
                                     TEXT(kind), A(by, Means), FLAG(fallback), TEXT(verdict),
                                     TEXT(text), TEXT_NULL(target), TEXT_NULL(choice),
                                     SOME(rows, GateRow));
static SD_VARLINK_DEFINE_STRUCT_TYPE(
    Explanation, PEER_FIELDS, A_NULL(uplink_state, UplinkState), INTS(rtt_us), INT_NULL(quiet_us),
    INT(quiet_looks), FLAG(quiet_owed), FLAG(said_migratable), FLAG(said_reconnectable),
    FLAG(learned_disabled), FLAG(learned_undialable), INT_NULL(held_left_us), A(waiting, Waiting),
    INT_NULL(requested_us), INT_NULL(moved_us), A(watch, Watch), FLAG(judged), FLAG(looked_closely),
    TEXT_NULL(remembered), TEXT_NULL(waits), INT_NULL(decision), INT_NULL(request), INT(attempt),
    INT_NULL(waits_for), SOME(triggers, Membership), SOME(gate, GateAnswer));

/* ---- records ---- */

#define RECORD_FIELDS INT(time_us), TEXT(run)

static SD_VARLINK_DEFINE_STRUCT_TYPE(Decision, RECORD_FIELDS, INT(decision), INT_NULL(cause),
                                     TEXT(peer), INT(conn), TEXT(trigger), TEXT(kind), A(by, Means),
                                     TEXT(reason), ANY(evidence), TEXT(verdict), TEXT_NULL(uplink),
                                     TEXT_NULL(target), TEXT_NULL(choice), INT_NULL(into),
                                     INT_NULL(repeats), INT_NULL(request), INT_NULL(attempt),
                                     INT_NULL(timeout_ms));
static SD_VARLINK_DEFINE_STRUCT_TYPE(NodeError, INT(code), TEXT_NULL(message));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Outcome, RECORD_FIELDS, INT(decision), INT(request),
                                     INT(attempt), TEXT(peer), INT(conn), A(by, Means),
                                     TEXT(outcome), FLAG_NULL(validated), INT(elapsed_us),
                                     TEXT_NULL(local_before), TEXT_NULL(local_after),
                                     TEXT_NULL(target), INT_NULL(conn_new),
                                     A_NULL(error, NodeError));
static SD_VARLINK_DEFINE_STRUCT_TYPE(Effect, RECORD_FIELDS, INT(decision), TEXT(peer), INT(conn),
                                     TEXT(effect), INT_NULL(rtt_before_us), INT_NULL(rtt_after_us),
                                     INT(samples_before), INT(samples_after));
static SD_VARLINK_DEFINE_STRUCT_TYPE(UplinkChange, RECORD_FIELDS, TEXT(uplink), TEXT(interface),
                                     TEXT(change), TEXT(reason), INT(peers));

/* ---- methods ---- */

static SD_VARLINK_DEFINE_METHOD(GetStatus, OUT_A(status, Status));
static SD_VARLINK_DEFINE_METHOD_FULL(
    ListPeers, SD_VARLINK_SUPPORTS_MORE, SAYS("a glob that names match"), IN_TEXT_NULL(match),
    SAYS("without more: go on where `next` of the page before says"), IN_INT_NULL(after),
    OUT_SOME(peers, Peer),
    SAYS("not null: another page follows. With more it comes by itself; a page may be empty"),
    OUT_INT_NULL(next));
static SD_VARLINK_DEFINE_METHOD(ListUplinks, OUT_SOME(uplinks, Uplink));
static SD_VARLINK_DEFINE_METHOD(ListRelays, OUT_SOME(relays, Relay),
                                SAYS("the connections that go over one, 10000 at most"),
                                OUT_SOME(peers, RelayedPeer));
static SD_VARLINK_DEFINE_METHOD(Explain, IN_TEXT(peer), OUT_A(explanation, Explanation));
static SD_VARLINK_DEFINE_METHOD_FULL(
    Migrate, SD_VARLINK_SUPPORTS_MORE, IN_TEXT(peer), IN_A_NULL(by, Means),
    SAYS("the name of an uplink"), IN_TEXT_NULL(uplink), IN_TEXT_NULL(interface),
    IN_TEXT_NULL(local), SAYS("a relay, or \"direct\""), IN_TEXT_NULL(via),
    SAYS("false: answer when it is decided; else when the node has answered"), IN_FLAG_NULL(wait),
    SAYS("with more: as soon as it is decided, and again when it leaves the queue"),
    OUT_A_NULL(decision, Decision), OUT_A_NULL(outcome, Outcome));

#define HOLD_FIELDS                                                                                \
    IN_TEXT_NULL(peer), IN_TEXT_NULL(uplink), IN_FLAG_NULL(all), OUT_TEXT_NULL(peer),              \
        OUT_TEXT_NULL(uplink), OUT_FLAG(held),                                                     \
        SAYS("what is in force now: one hold ends no other"), OUT_FLAG(all_held), OUT_INT(n_held), \
        SAYS("12 of these at most"), OUT_TEXTS(names)

static SD_VARLINK_DEFINE_METHOD(Hold, SAYS("exactly one of peer, uplink and all"), HOLD_FIELDS,
                                SAYS("null: until it is released"), IN_INT_NULL(for_us),
                                SAYS("true: also a name that is not connected"),
                                IN_FLAG_NULL(absent));
static SD_VARLINK_DEFINE_METHOD(Release, SAYS("exactly one of peer, uplink and all"), HOLD_FIELDS,
                                SAYS("so many peers missed something, and it is decided now"),
                                OUT_INT_NULL(n_missed));
static SD_VARLINK_DEFINE_METHOD(SetMode, IN_A(mode, Mode), OUT_A(mode, Mode), OUT_A(before, Mode),
                                SAYS("so many peers missed something, and it is decided now"),
                                OUT_INT_NULL(n_missed));
static SD_VARLINK_DEFINE_METHOD(Reload, OUT_FLAG(reloaded),
                                SAYS("not null: what takes a restart, in words"),
                                OUT_TEXT_NULL(not_in_force));
static SD_VARLINK_DEFINE_METHOD_FULL(
    FollowDecisions, SD_VARLINK_REQUIRES_MORE,
    SAYS("so many of those that are kept come first, 256 at most; null: none"), IN_INT_NULL(last),
    SAYS("a glob"), IN_TEXT_NULL(peer), IN_TEXT_NULL(trigger), IN_TEXT_NULL(verdict),
    IN_TEXT_NULL(uplink), IN_INT_NULL(since_us),
    SAYS("true: causes, nodes, peers, uplinks and notices, too"), IN_FLAG_NULL(all),
    SAYS("in each reply one member is not null"), OUT_A_NULL(decision, Decision),
    OUT_A_NULL(outcome, Outcome), OUT_A_NULL(effect, Effect), OUT_A_NULL(change, UplinkChange),
    SAYS("a record of another kind, as docs/records.md has it"), OUT_ANY_NULL(other),
    SAYS("so many were left out: they came faster than they were read"), OUT_INT_NULL(dropped),
    SAYS("once, after the last ones: what comes now is new"), OUT_FLAG_NULL(ready));

/* ---- errors ---- */

static SD_VARLINK_DEFINE_ERROR(NoSuchPeer, TEXT(peer),
                               SAYS("names that begin so, 12 at most, and how many do"),
                               TEXTS(begins), INT(n_begins), SAYS("the nearest names"),
                               TEXTS(near));
static SD_VARLINK_DEFINE_ERROR(BadParameter, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(Refused, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(NotMoved, A(decision, Decision), SAYS("why, in words"),
                               TEXT_NULL(message));
static SD_VARLINK_DEFINE_ERROR(MoveFailed, A(outcome, Outcome));
static SD_VARLINK_DEFINE_ERROR(OutcomeUnknown, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(NotRunning, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(NotAnswering, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(Busy, TEXT(message));
static SD_VARLINK_DEFINE_ERROR(NotUnderstood, TEXT(message));

#define WHAT(text) SD_VARLINK_SYMBOL_COMMENT(text)

static SD_VARLINK_DEFINE_INTERFACE(
    Watchdog, INTERFACE_NAME,
    SD_VARLINK_INTERFACE_COMMENT(
        "pathdog, the watchdog of a node's network paths. Members are as on its control socket: "
        "see control.md and records.md in /usr/share/doc/pathdog. Members that end in _us are "
        "microseconds: spans, but time_us and since_us, which count from 1970. null: not known, "
        "or does not apply."),
    WHAT("How things are, and what is wrong"), &vl_method_GetStatus,
    WHAT("The connections. Without more: one page"), &vl_method_ListPeers,
    WHAT("The interfaces over which peers can be reached"), &vl_method_ListUplinks,
    WHAT("The relays, which one is picked, and who goes over which"), &vl_method_ListRelays,
    WHAT("Why a peer was moved or not: what is known of it, and the gate row by row"),
    &vl_method_Explain, WHAT("Moves a peer, and waits for what comes of it"), &vl_method_Migrate,
    WHAT("No moves but those that an operator asks for"), &vl_method_Hold, WHAT("Ends a hold"),
    &vl_method_Release, WHAT("active: requests are sent. observe: all is decided, none is sent"),
    &vl_method_SetMode, WHAT("Reads the configuration again"), &vl_method_Reload,
    WHAT("Decisions, outcomes and effects as they come, until the client goes"),
    &vl_method_FollowDecisions, &vl_type_Mode, WHAT("How a connection is moved"), &vl_type_Means,
    &vl_type_Node, &vl_type_Trigger, &vl_type_PeerCounts, &vl_type_UnwellUplink,
    &vl_type_UplinkCounts, &vl_type_Requests, &vl_type_Reason, &vl_type_Status, &vl_type_Peer,
    &vl_type_Proof, &vl_type_LastChange, &vl_type_UplinkState, &vl_type_Uplink, &vl_type_Relay,
    &vl_type_RelayedPeer, &vl_type_Waiting, &vl_type_Watch, &vl_type_Membership, &vl_type_GateRow,
    &vl_type_GateAnswer, &vl_type_Explanation, &vl_type_Decision, &vl_type_NodeError,
    &vl_type_Outcome, &vl_type_Effect, &vl_type_UplinkChange, WHAT("No connection has this name"),
    &vl_error_NoSuchPeer, WHAT("A parameter is not what is allowed; the message says which"),
    &vl_error_BadParameter, WHAT("Understood, but it could not be done"), &vl_error_Refused,
    WHAT("The gate refused: its verdict is in the decision, and no request was sent"),
    &vl_error_NotMoved, WHAT("The node was asked, and it came to nothing"), &vl_error_MoveFailed,
    WHAT("It was requested, and the outcome is not known yet"), &vl_error_OutcomeUnknown,
    WHAT("No pathdog listens at the control socket, or it has just ended"), &vl_error_NotRunning,
    WHAT("pathdog does not answer in time"), &vl_error_NotAnswering,
    WHAT("Too many clients of pathdog; try again"), &vl_error_Busy,
    WHAT("pathdog's answer is not what this interface is made for: another version?"),
    &vl_error_NotUnderstood);

const sd_varlink_interface *interface_definition(void)
{
    return &vl_interface_Watchdog;
}

const sd_varlink_symbol *interface_symbol(const char *name)
{
    for (size_t i = 0; vl_interface_Watchdog.symbols[i]; i++) {
        const sd_varlink_symbol *symbol = vl_interface_Watchdog.symbols[i];

        if ((symbol->symbol_type == SD_VARLINK_METHOD || symbol->symbol_type == SD_VARLINK_ERROR) &&
            !strcmp(symbol->name, name))
            return symbol;
    }
    return NULL;
}
