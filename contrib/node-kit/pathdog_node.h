/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's side of the node protocol, version 1, for nodes written in C.
 * One .c, one .h, and jansson. It must not block, start a thread, keep global
 * state, or know anything about QUIC.
 *
 * How a node uses it:
 *
 *   1. fill struct pathdog_node_config and call pathdog_node_new();
 *   2. poll pathdog_node_fd() for reading beside everything else; when it is
 *      readable, call pathdog_node_process(); the callbacks run inside it;
 *   3. tell what happens with pathdog_node_peer_up(), _peer_down(), _peer_path();
 *      whether pathdog is there or not is the kit's business: with nobody there
 *      the call does nothing;
 *   4. answer each request exactly once, at once or later, by its token.
 *
 * Everything runs in the thread that calls in. Strings are copied where they are
 * kept; those given to a callback live until the callback returns. No call may be
 * made with one kit from two threads at a time. Calls may be made from within
 * callbacks, except pathdog_node_free() and pathdog_node_process().
 *
 * All functions that return int return 0 or more, or -errno.
 */
#ifndef PATHDOG_NODE_H
#define PATHDOG_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* No line is longer than this, its LF included, in either direction. */
#define PATHDOG_NODE_LINE_MAX_BYTES (1024u * 1024u)
/* At most this many rows go into one `summaries` message. */
#define PATHDOG_NODE_ROWS_PER_MESSAGE 256u
/* pathdog_node_push() sends no two rows of one connection within this time. */
#define PATHDOG_NODE_PUSH_GAP_MS 20u
/* pathdog asks for at most so many connections by number at once. */
#define PATHDOG_NODE_CONNS_MAX 4096u
/* A connection number is 1 … this (2^53-1). It grows within one boot. */
#define PATHDOG_NODE_CONN_MAX ((UINT64_C(1) << 53) - 1)
/* In a row: not known now. Larger values than PATHDOG_NODE_CONN_MAX are told as null too. */
#define PATHDOG_NODE_UNKNOWN UINT64_MAX
/* Unanswered requests of one client; further ones are refused with -32603. */
#define PATHDOG_NODE_TOKENS_MAX 65536u
/* Default of config.output_limit_bytes; the contract asks for 1 MiB at least. */
#define PATHDOG_NODE_OUTPUT_LIMIT_BYTES (16u * 1024u * 1024u)

/* At most so many relays. */
#define PATHDOG_NODE_RELAYS_MAX 64u

/* What a request may be refused with. What pathdog does then: docs/node-protocol.md. */
enum pathdog_node_error {
    PATHDOG_NODE_NOT_CONNECTED = -32001,          /* no connection to that peer */
    PATHDOG_NODE_NO_CONN = -32002,                /* the connection is going away */
    PATHDOG_NODE_PEER_DISABLE_MIGRATION = -32003, /* transport parameter; terminal */
    PATHDOG_NODE_TIMEOUT = -32004,                /* did not validate in timeout_ms */
    PATHDOG_NODE_NOT_MIGRATABLE = -32005,         /* never possible here; terminal */
    PATHDOG_NODE_BUSY = -32006,                   /* a migration of it is under way */
    PATHDOG_NODE_NO_PATH = -32007,                /* no route, address or spare conn. id */
    PATHDOG_NODE_UNKNOWN_VIA = -32008,            /* no such relay */
    PATHDOG_NODE_DIAL_FAILED = -32009,            /* closed, but the new dial failed */
    PATHDOG_NODE_UNSUPPORTED_PROTOCOL = -32010,   /* the kit's own answer to hello */
    PATHDOG_NODE_OLD_LIVES = -32011,       /* keep_old: the old one was acknowledged, and stays */
    PATHDOG_NODE_CANCELLED = -32012,       /* taken back, see ops.cancel */
    PATHDOG_NODE_INVALID_REQUEST = -32600, /* these four are JSON-RPC's own */
    PATHDOG_NODE_METHOD_NOT_FOUND = -32601,
    PATHDOG_NODE_INVALID_PARAMS = -32602,
    PATHDOG_NODE_INTERNAL = -32603,
};

enum pathdog_node_feature {
    PATHDOG_NODE_RECONNECT = 1 << 0,  /* needs ops.reconnect */
    PATHDOG_NODE_BIND = 1 << 1,       /* `interface` and `local` of a request are obeyed */
    PATHDOG_NODE_RELAY = 1 << 2,      /* `via` of a migrate is obeyed */
    PATHDOG_NODE_PROBE = 1 << 3,      /* needs ops.probe */
    PATHDOG_NODE_PROBE_PATH = 1 << 4, /* needs ops.probe_path */
    PATHDOG_NODE_PUSH = 1 << 5,       /* pathdog_node_push() is called when a path goes bad */
    PATHDOG_NODE_MAKE_BEFORE_BREAK = 1 << 6, /* `keep_old` of a reconnect, and ops.cancel */
};

/* The columns of a row. Times in µs, sizes in bytes, flags 0 or 1, see the contract. */
enum pathdog_node_column {
    PATHDOG_NODE_CONN, /* always told */
    PATHDOG_NODE_SRTT_US,
    PATHDOG_NODE_LATEST_RTT_US,
    PATHDOG_NODE_MIN_RTT_US,
    PATHDOG_NODE_RTTVAR_US,
    PATHDOG_NODE_RTT_SAMPLES,
    PATHDOG_NODE_CWND_BYTES,
    PATHDOG_NODE_IN_FLIGHT_BYTES,
    PATHDOG_NODE_CONGESTED,
    PATHDOG_NODE_IN_RECOVERY,
    PATHDOG_NODE_PTO_COUNT,
    PATHDOG_NODE_BYTES_SENT,
    PATHDOG_NODE_BYTES_RECEIVED,
    PATHDOG_NODE_PACKETS_LOST,
    PATHDOG_NODE_SEND_ERRORS,
    PATHDOG_NODE_SILENT_MS,
    /* Application data is what is in STREAM and DATAGRAM frames: no PING, ACK, padding or probe. */
    PATHDOG_NODE_UNACKED_MS, /* since the oldest unacknowledged was first sent; 0: there is none */
    PATHDOG_NODE_UNACKED_BYTES, /* how much of it is unacknowledged */
    PATHDOG_NODE_ACKED_BYTES,   /* counter: how much of it the peer has acknowledged */
    PATHDOG_NODE_PACKETS_SENT,  /* counter: those among which PACKETS_LOST were lost */
    PATHDOG_NODE_PTO_US,        /* RFC 9002 §6.2.1, without back-off */
    /* What the relay leaves; PATHDOG_NODE_UNKNOWN: no such limit, no relay, or not known. */
    PATHDOG_NODE_LEASE_MS,             /* until it ends the circuit */
    PATHDOG_NODE_LEASE_SENT_BYTES,     /* UDP payload that may still be sent over it */
    PATHDOG_NODE_LEASE_RECEIVED_BYTES, /* and received */
    PATHDOG_NODE_N_COLUMNS,
};
#define PATHDOG_NODE_COLUMN(c) (1u << (c))

struct pathdog_node;

/* A request that waits for its answer. 0 is never one. A token is used up by its
 * answer; when its client is gone or replaced it is void. Answering a token that
 * is used up or void does nothing and returns -ESTALE: keep it as long as you like. */
typedef uint64_t pathdog_node_token;

struct pathdog_node_migrate {
    uint64_t conn;
    uint32_t timeout_ms;
    const char *reason;    /* for the node's log; NULL if not told */
    const char *interface; /* NULL unless feature BIND and asked */
    const char *local;     /* likewise: an address without port */
    const char *via;       /* NULL unless feature RELAY and asked; "direct" is no relay */
};

struct pathdog_node_reconnect {
    uint64_t conn;
    uint32_t timeout_ms;
    const char *reason;
    const char *interface; /* as of a migrate: where to dial from */
    const char *local;
    bool keep_old; /* false unless feature MAKE_BEFORE_BREAK and asked: dial first */
};

/* Does another path to the peer of this connection live? The connection stays where it is. */
struct pathdog_node_probe_path {
    uint64_t conn;
    uint32_t timeout_ms;
    const char *interface; /* the path to try; NULL: whatever the route table says */
    const char *local;     /* likewise: an address without port */
};

/* Every callback may be NULL, except that a feature needs its own. user_data is the
 * config's. Without `summary` and `migrate` those methods are answered -32601. With more than some
 * 10 000 peers, use list_peers and list_rows: what `subscribe` and `summary` tell at once has to
 * fit into output_limit_bytes, or the client is closed. */
struct pathdog_node_ops {
    /* Call pathdog_node_peer_up() for each peer that is up now, before returning; the
     * kit counts them and answers. From then on changes are told. */
    void (*subscribe)(struct pathdog_node *kit, void *user_data);
    /* Call pathdog_node_row() for each connection (conns NULL: for all), then
     * pathdog_node_summary_done(), now or later. Leave out what is not known. */
    void (*summary)(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                    size_t n_conns, void *user_data);
    /* Answer with pathdog_node_migrated() or pathdog_node_error(). */
    void (*migrate)(struct pathdog_node *kit, pathdog_node_token token,
                    const struct pathdog_node_migrate *request, void *user_data);
    /* Tell peer_down and peer_up, then answer with pathdog_node_reconnected() or _error(). With
     * keep_old the old connection goes on until the new one is confirmed. If it was acknowledged
     * by then, give the new one up, tell nothing of it, and answer PATHDOG_NODE_OLD_LIVES. */
    void (*reconnect)(struct pathdog_node *kit, pathdog_node_token token,
                      const struct pathdog_node_reconnect *request, void *user_data);
    /* Make these peers acknowledge something. Answered by the kit. */
    void (*probe)(struct pathdog_node *kit, const uint64_t *conns, size_t n_conns, void *user_data);
    /* Try that path, answer with pathdog_node_path_probed() or _error(): -32004 if nothing came
     * back in timeout_ms. */
    void (*probe_path)(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_probe_path *request, void *user_data);
    /* pathdog came (after its hello) or went; `why` is NULL when it came. This one may also
     * run inside the other calls: a write can show that the client is gone. */
    void (*client)(struct pathdog_node *kit, bool connected, const char *why, void *user_data);

    /* For a node with many peers, instead of `subscribe`, and instead of `summary` where all are
     * asked for: the kit takes them as fast as pathdog reads, however many they are.
     *
     * Call pathdog_node_peer_up() or pathdog_node_row() for the connections whose number is greater
     * than `after`, in the order of their numbers, until there is none left, or until the call
     * returns -EAGAIN. Then this one was not taken; return, and pathdog_node_process() calls again
     * with the last one that was. A list is complete when the callback returns without that; the
     * kit answers. What happens meanwhile is told as ever: the kit leaves out what it will come to.
     * Calls with a number that is not greater than the one before return -EINVAL. */
    void (*list_peers)(struct pathdog_node *kit, uint64_t after, void *user_data);
    void (*list_rows)(struct pathdog_node *kit, pathdog_node_token token, uint64_t after,
                      void *user_data); /* needs `summary` too, for those asked for by number */

    /* pathdog takes this migrate, reconnect or probe_path back: end it, leave the connection where
     * it is, and answer PATHDOG_NODE_CANCELLED, or as before if it is too late. The next request
     * for the same connection comes at once. NULL: it is not heard of, and goes on. */
    void (*cancel)(struct pathdog_node *kit, pathdog_node_token token, void *user_data);
};

struct pathdog_node_config {
    const char *path;           /* of the socket; "@name": abstract; NULL: only _adopt() */
    const char *node;           /* this node's name */
    const char *implementation; /* "mynode/1.2.3" */
    const char *boot;           /* changes when the node restarts; NULL: the kit makes one */
    unsigned features;          /* enum pathdog_node_feature, or-ed */
    bool prefer_reconnect;      /* this node knows its own migrations to be unsafe */
    unsigned max_in_flight;     /* 0: not told */
    unsigned columns;           /* PATHDOG_NODE_COLUMN()s that this node has; 0: all */
    size_t output_limit_bytes;  /* 0: the default; less than 1 MiB counts as 1 MiB */
    const uid_t *client_uids;   /* abstract socket: who may connect beside root and */
    size_t n_client_uids;       /* our own user, told by SO_PEERCRED */
    const struct pathdog_node_ops *ops; /* must outlive the kit */
    void *user_data;
};

/* Zero is the default of every member but the first two. */
struct pathdog_node_peer {
    const char *peer; /* 1…255 bytes of UTF-8 without control characters */
    uint64_t conn;
    bool server;            /* the peer opened the connection */
    bool not_migratable;    /* never possible for this connection */
    bool not_reconnectable; /* the peer cannot be dialled from here */
    const char *local;      /* "192.0.2.1:443", "[2001:db8::1]:443"; NULL: not told */
    const char *remote;
    const char *via;
    const char *interface; /* the connection's socket is bound to it; NULL: to none, or not known */
};

/* Binds the socket: under a temporary name, mode 0660, then renamed. A stale one is
 * removed only if it is a socket and connecting to it is refused. -EADDRINUSE: somebody
 * answers there (do not start a second node); -ENOTSOCK: something else has that name;
 * -ENAMETOOLONG; -EINVAL: the config. What was wrong is written to ret_error (may be
 * NULL) as a sentence. */
int pathdog_node_new(const struct pathdog_node_config *config, struct pathdog_node **ret_kit,
                     char *ret_error, size_t error_size);

/* Closes all, removes the socket's name if it is still ours. Takes NULL, returns NULL. */
struct pathdog_node *pathdog_node_free(struct pathdog_node *kit);

/* The one descriptor to poll for reading. It stays the same and belongs to the kit. */
int pathdog_node_fd(const struct pathdog_node *kit);

/* Does what is to be done without waiting. Callbacks run in here. */
int pathdog_node_process(struct pathdog_node *kit);

/* Takes a connected stream socket as the client, as if it had been accepted: for socket
 * activation and for tests. The kit closes it, also on failure. */
int pathdog_node_adopt(struct pathdog_node *kit, int fd);

/* Bytes that pathdog has not taken yet: a node with very many peers paces its rows by it. */
size_t pathdog_node_pending_bytes(const struct pathdog_node *kit);

/* Tell peer_up when the handshake is confirmed (RFC 9001 §4.1.2), not earlier. -EINVAL:
 * name or conn not as the contract wants them; nothing was told. -EAGAIN: only within list_peers,
 * see there. */
int pathdog_node_peer_up(struct pathdog_node *kit, const struct pathdog_node_peer *peer);
int pathdog_node_peer_down(struct pathdog_node *kit, uint64_t conn, const char *reason);
int pathdog_node_peer_path(struct pathdog_node *kit, uint64_t conn, const char *local,
                           const char *remote, const char *via);
/* The same with all that a path has: `local`, `remote`, `via` and `interface` of the peer. A change
 * of addresses without an interface tells pathdog that the connection is bound to none. */
int pathdog_node_peer_moved(struct pathdog_node *kit, const struct pathdog_node_peer *peer);

struct pathdog_node_relay {
    const char *relay;   /* its name, as in `via`; not "direct", each once */
    const char *address; /* "192.0.2.1:4433", "[2001:db8::1]:4433" */
    const char *speaks;  /* "reg-ack" or "pilot"; NULL: "reg-ack" */
};

/* Feature RELAY: the relays that `via` of a migrate may name. Call it when they are known, and when
 * they change; it replaces the earlier list. The kit keeps it, and tells it to each client that
 * subscribes. `key`: this node's key for Pilot's pick, hexadecimal; NULL: none. -EINVAL: not as the
 * contract wants it, or without the feature; the earlier list stays. */
int pathdog_node_relays(struct pathdog_node *kit, const struct pathdog_node_relay *relays, size_t n,
                        const char *key);

/* The column of that name, or -ENOENT. */
int pathdog_node_column_find(const char *name);

/* Sets every column to PATHDOG_NODE_UNKNOWN, and conn. */
void pathdog_node_row_init(uint64_t row[PATHDOG_NODE_N_COLUMNS], uint64_t conn);

/* Adds one row, for the summary `token`, or unasked with token 0. -EAGAIN: only within list_rows,
 * see there. */
int pathdog_node_row(struct pathdog_node *kit, pathdog_node_token token,
                     const uint64_t row[PATHDOG_NODE_N_COLUMNS]);

/* Feature PUSH: sends this row at once, unasked, because its path has gone bad. Call it when
 * application data is unacknowledged for max(4 × PTO, 500 ms), and again with doubling gaps while
 * that lasts; when `congested` changes; when a path validation fails. Returns 1: it was sent; 0:
 * nobody is there, or the feature is not in the config; -EAGAIN: nothing was sent, since a row of
 * this connection was pushed less than PATHDOG_NODE_PUSH_GAP_MS ago, or since pathdog does not read
 * what is waiting for it: come again later, with a row of then. -EINVAL: the row has no conn;
 * -ENOMEM. */
int pathdog_node_push(struct pathdog_node *kit, const uint64_t row[PATHDOG_NODE_N_COLUMNS]);

/* Sends the rows that are waiting, and answers the summary `token`; with token 0 only
 * sends, as is to be done after unasked rows. */
int pathdog_node_summary_done(struct pathdog_node *kit, pathdog_node_token token);

/* `local`: where the connection is sent from now, or NULL. `validated`: RFC 9000 §8.2
 * was done before this answer. */
int pathdog_node_migrated(struct pathdog_node *kit, pathdog_node_token token, const char *local,
                          bool validated);
int pathdog_node_reconnected(struct pathdog_node *kit, pathdog_node_token token, uint64_t conn);
/* `rtt_us`: from the try that was answered to its answer, microseconds. */
int pathdog_node_path_probed(struct pathdog_node *kit, pathdog_node_token token, uint64_t rtt_us);

/* For every kind of request. message NULL: the contract's word for the code. */
int pathdog_node_error(struct pathdog_node *kit, pathdog_node_token token, int code,
                       const char *message);

#ifdef __cplusplus
}
#endif

#endif
