/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers, addresses, path summaries: the vocabulary that the engine, the
 * triggers and the daemon share. Plain values only; nothing here is a call.
 */
#ifndef PATHDOG_PATH_H
#define PATHDOG_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "Not known now": a column that the node left out or sent as null. */
#define PD_UNKNOWN UINT64_MAX

/* No peer: an index that no connection has. */
#define PD_NO_PEER UINT32_MAX

/* The columns of a path summary. RTTs as in RFC 9002 §5, the window as in §7,
 * probe timeouts as in §6.2; flags are 0 or 1. */
enum pd_column {
    PD_SRTT_US,
    PD_LATEST_RTT_US,
    PD_MIN_RTT_US,
    PD_RTTVAR_US,
    PD_RTT_SAMPLES, /* RTT samples taken on the present path */
    PD_CWND_BYTES,
    PD_IN_FLIGHT_BYTES,
    PD_CONGESTED,
    PD_IN_RECOVERY,
    PD_PTO_COUNT, /* consecutive probe timeouts */
    PD_BYTES_SENT,
    PD_BYTES_RECEIVED,
    PD_PACKETS_LOST,
    PD_SEND_ERRORS, /* consecutive local send errors */
    PD_SILENT_MS,   /* since the last packet came from the peer */
    /* Application data: in STREAM and DATAGRAM frames; not PING, ACK, padding, or what probes. */
    PD_UNACKED_MS,    /* since the oldest of it that is not acknowledged was first sent; 0: none */
    PD_UNACKED_BYTES, /* how much of it is not acknowledged */
    PD_ACKED_BYTES,   /* counter: so much of it the peer has acknowledged */
    PD_PACKETS_SENT,  /* counter of this connection, as PD_PACKETS_LOST is */
    PD_PTO_US,        /* the stack's probe timeout, without back-off */
    /* What is left on the relay that it goes over, and when nothing is known of a limit: unknown.
     */
    PD_LEASE_MS,             /* until the relay ends it */
    PD_LEASE_SENT_BYTES,     /* payload that may still be sent over the relay */
    PD_LEASE_RECEIVED_BYTES, /* payload that may still be received over it */
    PD_LEASE_BYTES,          /* the least of these two, of nodes that do not tell them apart */
    PD_COLUMN_COUNT
};

/* One summary of one connection's path; each value below 2^53, or PD_UNKNOWN. */
struct pd_row {
    uint64_t v[PD_COLUMN_COUNT];
};

/* Which end opened the connection. Only the client may migrate (RFC 9000 §9). */
enum pd_role {
    PD_ROLE_CLIENT,
    PD_ROLE_SERVER,
};

/* An IP address and port. `family` is 4, 6, or 0 for "not known"; bytes in
 * network order, the first 4 for IPv4; `scope` is the interface name of a
 * link-local IPv6 address, else "". Port in host order, 0 for none. */
struct pd_address {
    uint8_t family;
    uint8_t bytes[16];
    char scope[16];
    uint16_t port;
};

/* Where a connection goes, as the node told it; and the interface that its socket is bound to, as
 * the node told it, else the one that the last move of it was asked to use. NULL: the route table
 * decides. */
struct pd_path {
    const char *via;         /* relay or "direct"; NULL: not told */
    const char *local_text;  /* as the node wrote it; NULL: not told */
    const char *remote_text; /* the same */
    struct pd_address local;
    struct pd_address remote;
    const char *interface; /* until the node tells another path, or another interface */
};

/* One connection to a peer, as a trigger sees it. Owned by the engine; the path and
 * the strings live as long as the callback that was given them. */
struct pd_peer {
    uint32_t index; /* dense, stable while the connection is known, then reused */
    enum pd_role role;
    uint64_t conn;
    const char *name;
    const struct pd_path *path; /* never NULL */
};

/* A named value: text where `text` is not NULL, else the number. */
struct pd_field {
    const char *name; /* [a-z][a-z0-9_]{0,31} */
    const char *text;
    uint64_t number;
};

/* Levels of a notice, as syslog(3) orders them. */
enum pd_level {
    PD_LEVEL_ERROR = 3,
    PD_LEVEL_WARNING = 4,
    PD_LEVEL_NOTICE = 5,
    PD_LEVEL_INFO = 6,
    PD_LEVEL_DEBUG = 7,
};

#endif
