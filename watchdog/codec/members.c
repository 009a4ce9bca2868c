/* SPDX-License-Identifier: Apache-2.0 */
/* The table of events and their members. Nothing but data; recordings depend on the names. */
#include "members.h"

#include "../engine/base/names.h"
#include "../util/util.h"

#define NAMES(id, ...)                                                                             \
    static const char *const id##_list[] = {__VA_ARGS__};                                          \
    static const struct member_names id##_words = {id##_list, ARRAY_SIZE(id##_list)}

NAMES(command, [COMMAND_MOVE] = "move", [COMMAND_HOLD] = "hold", [COMMAND_RELEASE] = "release",
      [COMMAND_MODE] = "mode", [COMMAND_CONFIG] = "config", [COMMAND_STOP] = "stop");
NAMES(by, [COMMAND_BY_DEFAULT] = "default", [COMMAND_BY_MIGRATE] = "migrate",
      [COMMAND_BY_RECONNECT] = "reconnect");

static const struct member_names role_words = {role_names, PD_ROLE_SERVER + 1};
static const struct member_names level_words = {level_names, ARRAY_SIZE(level_names)};

#define M(kind, path, text)                                                                        \
    {                                                                                              \
        text, MEMBER_##kind, offsetof(struct event, path), NULL                                    \
    }
#define E(path, text, id)                                                                          \
    {                                                                                              \
        text, MEMBER_ENUM, offsetof(struct event, path), &id##_words                               \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, MEMBER_TEXT, 0, NULL                                                                 \
    }

static const struct member node_up[] = {
    M(TEXT, node_up.node, "node"),
    M(OPTIONAL, node_up.implementation, "implementation"),
    M(TEXT, node_up.boot, "boot"),
    M(FEATURES, node_up.features, "features"),
    M(BOOL, node_up.prefer_reconnect, "prefer_reconnect"),
    M(U32, node_up.max_in_flight, "max_in_flight"),
    M(U32, node_up.uid, "uid"),
    END,
};

static const struct member node_down[] = {
    M(TEXT, node_down.reason, "reason"),
    END,
};

static const struct member peer_up[] = {
    M(TEXT, peer_up.peer, "peer"),
    M(U64, peer_up.conn, "conn"),
    E(peer_up.role, "role", role),
    M(OPTIONAL, peer_up.local, "local"),
    M(OPTIONAL, peer_up.remote, "remote"),
    M(OPTIONAL, peer_up.via, "via"),
    M(OPTIONAL, peer_up.interface, "interface"),
    M(BOOL, peer_up.migratable, "migratable"),
    M(BOOL, peer_up.reconnectable, "reconnectable"),
    END,
};

static const struct member peer_down[] = {
    M(U64, peer_down.conn, "conn"),
    M(OPTIONAL, peer_down.reason, "reason"),
    END,
};

static const struct member peer_path[] = {
    M(U64, peer_path.conn, "conn"),
    M(OPTIONAL, peer_path.local, "local"),
    M(OPTIONAL, peer_path.remote, "remote"),
    M(OPTIONAL, peer_path.via, "via"),
    M(OPTIONAL, peer_path.interface, "interface"),
    END,
};

static const struct member summary_done[] = {
    M(U64, summary_done.poll, "look"),
    M(BOOL, summary_done.failed, "failed"),
    M(FLAG, summary_done.unanswered, "unanswered"),
    END,
};

static const struct member answer[] = {
    M(U64, answer.request, "request"),
    M(BOOL, answer.ok, "ok"),
    M(BOOL, answer.malformed, "spoiled"),
    M(BOOL, answer.validated, "validated"),
    M(OPTIONAL, answer.local, "local"),
    M(U64, answer.conn, "conn"),
    M(I64, answer.code, "code"),
    M(OPTIONAL, answer.message, "message"),
    END,
};

static const struct member probed[] = {
    M(U64, probed.probe, "probe"),          M(BOOL, probed.ok, "ok"),
    M(U64, probed.rtt_us, "rtt_us"),        M(I64, probed.code, "code"),
    M(OPTIONAL, probed.message, "message"), END,
};

static const struct member signal_members[] = {
    M(TEXT, signal.trigger, "trigger"),
    M(TEXT, signal.kind, "kind"),
    M(U64, signal.query, "query"),
    END,
};

static const struct member command_members[] = {
    E(command.type, "command", command),
    M(OPTIONAL, command.peer, "peer"),
    E(command.by, "by", by),
    M(OPTIONAL, command.uplink, "uplink"),
    M(OPTIONAL, command.interface, "interface"),
    M(OPTIONAL, command.local, "local"),
    M(OPTIONAL, command.via, "via"),
    M(OPTIONAL, command.who, "who"),
    M(U64, command.duration_us, "duration_us"),
    M(BOOL, command.observe, "observe"),
    M(OPTIONAL, command.config, "config"),
    END,
};

static const struct member notice[] = {
    E(notice.level, "level", level),
    M(TEXT, notice.what, "what"),
    M(TEXT, notice.text, "text"),
    M(U64, notice.count, "count"),
    END,
};

static const struct member relays[] = {
    M(OPTIONAL, relays.key, "key"),
    END,
};

static const struct member none[] = {END};

static const struct event_format formats[EVENT_TYPE_COUNT] = {
    [EVENT_NODE_UP] = {"node_up", node_up},
    [EVENT_NODE_DOWN] = {"node_down", node_down},
    [EVENT_SNAPSHOT] = {"snapshot", none},
    [EVENT_PEER_UP] = {"peer_up", peer_up},
    [EVENT_PEER_DOWN] = {"peer_down", peer_down},
    [EVENT_PEER_PATH] = {"peer_path", peer_path},
    [EVENT_SAMPLES] = {"samples", none},
    [EVENT_SUMMARY_DONE] = {"summary_done", summary_done},
    [EVENT_ANSWER] = {"answer", answer},
    [EVENT_SIGNAL] = {"signal", signal_members},
    [EVENT_TIMER] = {"timer", none},
    [EVENT_COMMAND] = {"command", command_members},
    [EVENT_NOTICE] = {"notice", notice},
    [EVENT_INTERFACES] = {"interfaces", none},
    [EVENT_PROBED] = {"probed", probed},
    [EVENT_RELAYS] = {"relays", relays},
    [EVENT_RESTORE] = {"restore", none},
};

const struct event_format *event_format(enum event_type type)
{
    return (size_t)type < EVENT_TYPE_COUNT && formats[type].name ? &formats[type] : NULL;
}
