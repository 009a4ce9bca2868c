/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the QUIC node share: its objects and the calls between them.
 * One node holds all; nothing is kept at file scope.
 */
#ifndef QUIC_NODE_H
#define QUIC_NODE_H

#include "address.h"
#include "ngtcp2_compat.h"
#include "options.h"
#include "relay.h"
#include "unacked.h"

#include <gnutls/gnutls.h>
#include <net/if.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <pathdog_node.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define NODE_ALPN         "pathdog-quic-node/1"
#define NODE_CID_LEN      16
#define NODE_CID_BUCKETS  1024u
#define NODE_DATAGRAM_MAX 1452
#define NODE_MAX_CONNS    4096u
#define NODE_MAX_PEERS    4096u /* names ever met */
#define NS_PER_MS         UINT64_C(1000000)
#define NS_PER_S          UINT64_C(1000000000)

/* Application error codes in CONNECTION_CLOSE: why a peer was left. */
enum close_code {
    CLOSE_NONE,
    CLOSE_SHUTDOWN = 0x100, /* the node ends */
    CLOSE_RECONNECT,        /* it will dial, or be dialled, again */
    CLOSE_SUPERSEDED,       /* another connection between the two is the live one */
    CLOSE_PROTOCOL,         /* the stream did not carry what it should */
    CLOSE_WRONG_NAME,       /* somebody else answers at that address */
};

struct node;
struct conn;
struct peer;

/* A UDP socket: the node's listening one (conn is NULL, not connected), or one path of an
 * outgoing connection (connected, so that the kernel picked its source address), or a path that
 * is only tried, or where a peer's connections come in over a relay (conn is NULL, connected). */
struct udp {
    int fd;
    struct node *node;
    struct conn *conn;
    struct address local, remote; /* remote: that it is connected to */
    char interface[IF_NAMESIZE];  /* that it is bound to; empty: to none */
    struct udp *next;
    uint64_t close_at_ns;     /* an abandoned path; 0: in use */
    struct path_probe *probe; /* it tries a path, and carries nothing of the connection */
    struct registration *reg; /* at the relay that it is connected to; NULL: that is none */
    struct stand *stand;      /* NULL: it is none */
    uint64_t sent_ns;         /* the last datagram */
    uint64_t sent_bytes, received_bytes;
};

/* Bytes of the stream, kept until QUIC has them acknowledged; they never move. */
struct chunk {
    struct chunk *next;
    size_t len;
    uint8_t data[4096];
};

struct cid_entry {
    struct cid_entry *next;
    ngtcp2_cid cid;
    struct conn *conn;
};

/* One QUIC connection, from the first packet of its handshake to its end. */
struct conn {
    struct node *node;
    struct conn *next;
    struct peer *peer; /* by --dial at once, else when its hello came */
    ngtcp2_conn *quic;
    gnutls_session_t tls;
    ngtcp2_crypto_conn_ref tls_ref;
    bool server;
    bool confirmed; /* the handshake, RFC 9001 §4.1.2 */
    bool opened;    /* a client's handshake is complete */
    bool hello_sent, hello_received;
    bool dirty;      /* has something to write */
    bool dead;       /* to be freed at the end of the turn */
    uint64_t number; /* told to pathdog; 0: not up yet */
    uint64_t epoch;  /* with the dialler's name: which of two connections is the newer */
    uint64_t created_ns;
    struct udp *paths; /* an outgoing connection's, and those that are tried */
    struct path_probe *probes;
    struct address remote, local; /* of the present path, as last told */
    struct {                      /* where a dead connection was heard from anew: path_local() */
        struct address remote;
        unsigned port;
    } anew;

    int64_t stream; /* -1: not open */
    struct chunk *out_head, *out_tail, *out_next;
    size_t out_next_pos;     /* the first byte of out_next that was not written yet */
    uint64_t out_acked;      /* stream offset up to which chunks may go */
    uint64_t out_head_start; /* stream offset of out_head */
    size_t out_unsent_bytes;
    size_t out_probe_bytes; /* the first of the unsent: a probe's */
    uint64_t out_written;   /* stream offset of the first unsent one */
    struct unacked unacked; /* of the application: all but probes */
    uint8_t in[8192];
    size_t in_len;

    uint64_t packets_sent, bytes_sent, bytes_received, send_errors;
    struct quic_counted counted;
    uint64_t last_received_ns;
    unsigned ids_spent;         /* on moves since the peer was known to hear us */
    struct address received_at; /* our address that the last packet came to */
    bool failed;                /* the stream carried something else: to be closed */

    struct { /* what the peer said of itself */
        char name[256], boot[40], peer_boot[40];
        struct address listen;
        uint64_t epoch, rx_next;
        bool relays; /* it knows frames R and S */
    } hello;

    struct {           /* a dial through a relay */
        struct udp *u; /* while it is held */
        unsigned tried;
    } meet;
    bool held; /* nothing is sent yet */

    struct {                                 /* rows that are sent unasked */
        uint64_t unacked_gap_ns, unacked_ns; /* 0: none was sent of it; the next one */
        bool congested, congested_reported;
        uint64_t congested_gap_ns, congested_ns; /* from the last one that told a change */
        uint64_t not_before_ns;
        bool validation_failed;
    } push;

    struct { /* a migration under way, or one that was answered but not given up yet */
        bool active;
        pathdog_node_token token;
        struct udp *path;
        struct udp *old;                  /* immediate: the path that was left, to go back to */
        const struct relay_option *relay; /* that it goes over */
        uint64_t register_ns;             /* until when that relay may answer; 0: it has */
        char why[2 * RELAY_WHY_SIZE];     /* it may not go there */
        bool immediate;                   /* data went over before the path was validated */
        bool carries; /* so it does: the peer sends to where it was last heard from */
        uint64_t begun_ns, gone_ns, escalate_ns, deadline_ns;
        enum { MOVE_OPEN, MOVE_VALIDATED, MOVE_FAILED } result;
    } move;
};

/* What is known of a peer name; outlives its connections, and so do the two byte streams. */
struct peer {
    struct node *node;
    struct peer *next;
    char name[256];
    char boot[40]; /* of its process; empty: never met */
    bool dialled;  /* by --dial: redialled when it is lost */
    bool reachable;
    struct address address;                /* to dial; valid if reachable */
    const struct dial_option *dial_option; /* NULL: not by --dial */
    size_t via_at;                         /* which of its ways is dialled */
    struct conn *live;
    struct conn *dial;    /* our own dial under way */
    uint64_t gone_number; /* of the last live one */
    uint64_t epoch;       /* the highest seen */
    uint64_t redial_at_ns, redial_delay_ns;

    struct {                              /* relays that its connections can be moved to */
        struct peer_relay *at;            /* one for each that this node knows */
        char key[RELAY_ID_SIZE];          /* of the connections that this node dials */
        unsigned meet_number;             /* the last that was tried */
        unsigned meet_window, meet_tries; /* in that window, since one led to the peer */
        uint64_t lost_ns;                 /* since then there is no connection */
    } relay;

    struct { /* of pathdog's reconnect_peer */
        pathdog_node_token token;
        uint64_t deadline_ns;
        uint64_t keep;      /* number of the connection that goes on meanwhile; 0: it was closed */
        uint64_t acks;      /* of that one, when it was asked */
        bool unproven;      /* then it may have been heard lately */
        uint64_t decide_ns; /* not before: so long may an acknowledgement on it take */
    } reconnect;

    /* to the peer: offsets in a stream that is made from its offsets, see traffic.c */
    uint64_t tx_made, tx_sent, tx_acked, tx_seq;
    uint64_t tx_last_ns;
    uint64_t tx_credit; /* byte-nanoseconds */
    bool tx_ready;      /* the peer told on `live` where to go on */
    /* from the peer */
    uint64_t rx_next, rx_reported, rx_last_ns, rx_ack_at_ns;
    uint64_t rx_seed, tx_seed;
    bool rx_known; /* rx_next means something */

    struct {
        uint64_t sent, received, verified, lost, corrupt, duplicate;
        uint64_t messages_sent, messages_received;
        uint64_t longest_gap_ns, longest_gap_at_us;
        uint64_t recent_gap_ns; /* the longest since the last statistics */
        uint64_t connections, migrations, migration_failures, reconnects, peer_moves;
    } count;
};

/* What a connection tells those who know more than it does (hooks.c). From within `opened`,
 * `received` and `validated` nothing may be written and no connection closed: the library
 * is at work. */
struct conn_hooks {
    void (*opened)(struct conn *c); /* a client's handshake is complete: the stream may begin */
    int (*received)(struct conn *c, const uint8_t *data, size_t len); /* -errno: no such stream */
    void (*validated)(struct conn *c, const ngtcp2_path *path, bool success); /* or given up */
    void (*turned)(struct conn *c); /* something was read or written, or time has passed */
    void (*ended)(struct conn *c, enum close_code code, const char *reason);
    uint64_t (*next_ns)(const struct conn *c); /* when `turned` is due at the latest */
};

struct node {
    const struct options *options;
    const struct conn_hooks *hooks;
    struct pathdog_node *kit;
    gnutls_certificate_credentials_t credentials;
    int epoll_fd;
    struct udp listen;
    bool listening;
    struct conn *conns;
    struct peer *peers;
    struct udp *closing; /* sockets to close when the turn is over */
    struct stand *stands;
    unsigned n_stands;
    char meet_secret[RELAY_SECRET_SIZE];
    char probe_key[RELAY_ID_SIZE]; /* of the ids that paths to relays are tried with */
    struct cid_entry *cids[NODE_CID_BUCKETS];
    uint8_t reset_secret[32];
    char boot[20];
    uint64_t last_number;
    uint64_t now_ns, start_ns;
    unsigned n_conns, n_peers;
    uint64_t n_events_lost;
    int signal_fd, timer_fd;
    uint64_t timer_ns; /* what timer_fd is set to */
    bool stopping;
};

/* log.c */
uint64_t clock_ns(void);
uint64_t realtime_us(void);
/* One line on standard output: "EVENT t=SECONDS key=value …". */
void event(struct node *node, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* tls.c */
int tls_init(struct node *node);
void tls_free(struct node *node);
int tls_session_new(struct conn *c);
void random_bytes(uint8_t *data, size_t len);

/* udp.c */
int udp_listen(struct node *node, const struct address *address);
/* A socket connected to `remote`; interface and local may be NULL. An interface alone must have an
 * address of its own to send from: -EADDRNOTAVAIL. */
int udp_dial(struct conn *c, const struct address *remote, const char *interface,
             const struct address *local, struct udp **ret);
/* The same without a connection. */
int udp_connect(struct node *node, const struct address *remote, const char *interface,
                const struct address *local, struct udp **ret);
/* The connected socket of a path; NULL: there is none, or it is the listening one's. */
struct udp *udp_find(const struct conn *c, const struct address *local,
                     const struct address *remote);
void udp_close(struct udp *u);
void udp_abandon(struct conn *c, struct udp *u, uint64_t close_at_ns);
/* That the socket of the present path is bound to. NULL: to none. */
const char *udp_interface(const struct conn *c);
int udp_send(struct conn *c, const ngtcp2_path *path, const uint8_t *data, size_t len);
/* From a socket that peers come to; what it cannot send is not sent. */
void udp_answer(struct udp *u, const ngtcp2_path *path, const uint8_t *data, size_t len);
/* There may be more to read. */
void udp_again(struct udp *u);
void udp_expire(struct conn *c);
void udp_reap(struct node *node);

/* receive.c */
void receive(struct udp *u);

/* conn.c */
/* interface and local may be NULL, as of udp_dial(). */
int conn_dial(struct peer *p, const struct address *remote, const char *interface,
              const struct address *local, const char **ret_why);
struct conn *conn_accept(struct node *node, const ngtcp2_path *path, const uint8_t *data,
                         size_t len);
void conn_read(struct conn *c, const ngtcp2_path *path, const uint8_t *data, size_t len);
void conn_write(struct conn *c);
void conn_timer(struct conn *c);
/* Sends CONNECTION_CLOSE, tells peer_down with `reason`, and marks it for conn_reap(). */
void conn_close(struct conn *c, enum close_code code, const char *reason);
void conn_reap(struct node *node);
uint64_t conn_next_ns(struct conn *c);
bool conn_congested(struct conn *c); /* there is data to send, and no room in the window */
struct conn *conn_by_number(struct node *node, uint64_t number);
bool conn_newer(const struct conn *a, const struct conn *b); /* of two to one peer */

/* hooks.c */
extern const struct conn_hooks conn_hooks;

/* callbacks.c */
void callbacks_fill(ngtcp2_callbacks *callbacks, bool server);
void quic_log(void *user_data, const char *format, ...);

/* cid.c */
int cid_add(struct node *node, const ngtcp2_cid *cid, struct conn *c);
void cid_remove(struct node *node, const ngtcp2_cid *cid);
void cid_remove_all(struct conn *c);
struct conn *cid_find(struct node *node, const uint8_t *data, size_t len);

/* frame.c: what is to go out on the one stream of a connection */
#define FRAME_HEADER_BYTES 3
#define FRAME_BODY_MAX     4000
int frame_append(struct conn *c, uint8_t type, const uint8_t *body, size_t len);
void frame_probe(struct conn *c); /* makes the peer acknowledge something now */
void frames_acked(struct conn *c, uint64_t upto);
void frames_free(struct conn *c);
void put_u64(uint8_t *data, uint64_t value);
uint64_t get_u64(const uint8_t *data);

/* stream.c: what comes in on it, and who we are */
void stream_begin(struct conn *c); /* opens it (client) and says hello */
int stream_received(struct conn *c, const uint8_t *data, size_t len);

/* traffic.c: the checked bytes, per peer */
void traffic_make(struct peer *p);
void traffic_send(struct peer *p);
void traffic_resume(struct peer *p, bool known, uint64_t rx_next);
int traffic_data(struct peer *p, const uint8_t *body, size_t len);
void traffic_ack(struct peer *p, uint64_t offset);
uint64_t traffic_next_ns(const struct peer *p);
uint64_t traffic_gap_ns(const struct peer *p, uint64_t *ret_began_us); /* the longest so far */

/* peer.c: which connection is the live one; dialling */
struct peer *peer_get(struct node *node, const char *name);
struct peer *peer_find(struct node *node, const char *name);
void peer_met(struct conn *c);   /* its hello came */
void peer_offer(struct conn *c); /* confirmed and named: take it, or close it */
void peer_lost(struct conn *c, enum close_code code);
void peer_timers(struct peer *p);
uint64_t peer_next_ns(const struct peer *p);
void peers_free(struct node *node);

/* migrate.c */
void migrate_begin(struct conn *c, pathdog_node_token token,
                   const struct pathdog_node_migrate *request);
void migrate_note(struct conn *c, const ngtcp2_path *path, bool success); /* from within QUIC */
void migrate_check(struct conn *c); /* has it ended, or is its time over? */
void migrate_ended(struct conn *c); /* the connection is going */
uint64_t migrate_next_ns(const struct conn *c);
void migrate_cancel(struct conn *c);
bool path_dead(struct conn *c,
               uint64_t pto_ns); /* silent for two of these, or owed acknowledgements */
void path_check(struct conn *c); /* did the present path change? then say so */
/* What the library is to take for the local address, of a datagram of a connection that the peer
 * dialled. */
void path_local(struct conn *c, const struct address *remote, struct address *local);

/* probe_path.c: does another path live? */
void probe_path_begin(struct conn *c, pathdog_node_token token,
                      const struct pathdog_node_probe_path *request);
void probe_path_received(struct udp *u, const uint8_t *data, size_t len);
void probe_path_refused(struct udp *u, int error); /* errno of its socket */
void probe_path_check(struct conn *c);             /* the next try, or its time is over */
void probe_path_ended(struct conn *c);
uint64_t probe_path_next_ns(const struct conn *c);
void probe_path_cancel(struct conn *c, pathdog_node_token token);

/* push.c: rows that pathdog has not asked for */
void push_check(struct conn *c);
uint64_t push_next_ns(const struct conn *c);

/* reconnect.c */
void reconnect_begin(struct conn *c, const struct pathdog_node_reconnect *request,
                     pathdog_node_token token);
void reconnect_gone(struct node *node, const struct pathdog_node_reconnect *request,
                    pathdog_node_token token); /* for a conn that is not there any more */
void reconnect_up(struct peer *p);
void reconnect_failed(struct peer *p, const char *why);
void reconnect_late(struct peer *p);                            /* its time is over */
void reconnect_dial_lost(struct peer *p, enum close_code code); /* and a connection is live */
void reconnect_check(struct peer *p);                           /* does the kept one live? */
void reconnect_opened(const struct conn *c);
bool reconnect_may_begin(const struct conn *c);
uint64_t reconnect_next_ns(const struct conn *c);
void reconnect_cancel(struct peer *p);

/* watchdog.c: pathdog's side */
int watchdog_init(struct node *node, char *ret_error, size_t error_size);
void watchdog_peer_up(struct conn *c, bool first); /* first: or told once more */
int watchdog_push(struct conn *c);                 /* as pathdog_node_push() */

/* stats.c */
int stats_write(struct node *node, const char *path);
void stats_print(struct node *node);

#endif
