/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the relay trigger's options, and what its two halves say to each other. The source
 * reads the list file and the cache and sends probes; it decides nothing and sees no peer. The
 * policy merges the lists, picks, and advises.
 *
 * Of the options the source's are LIST_FILE, CACHE_FILE, REFRESH, PROBE, DIRECT_PROBE and
 * DIRECT_EVERY; what is written wrongly in RELAYS, KEY and SPEAKS is the policy's to refuse.
 * SPEAKS is what an entry without a word behind its address speaks, in RELAYS and in the list file:
 * relay_entry_parse() fills REG_ACK, so the reader of a list puts SPEAKS in its place.
 *
 * Signals, source → policy. A relay is a text as relay_entry_format() writes it, `relay`; one field
 * for each, in the order of the list.
 *
 *   list     {from: "file"|"cache", [age_us], relay, relay, …}
 *            What was read, all of it, unfiltered. From the file: when it was read first, and when
 *            it is another (a file that cannot be read, or that has only bad lines, says nothing:
 *            the list stays). From the cache: once, where the first reading of the file failed, and
 *            not older than an hour. The policy filters. The cache is the source's own business.
 *   rtts     {name, [rtt_ns | error], name, …}
 *            One for each round of probes, when all of it was answered or given up: of each relay
 *            that was asked its name (text), then `rtt_ns` (number), or `error` (text: "no answer
 *            for 2 s", "ERR:full", …) where there is none. query = the id of the query `probe` that
 *            it is the first answer to, else 0.
 *   direct   {peer, conn, [rtt_ns | error]}
 *            The answer to the query of that id. An error names what was wrong.
 *
 * Queries, policy → source; the first field says which.
 *
 *   ask = "probe"  {ask, relay, relay, …}
 *            These are probed from now on, in the place of those before: now (the very first time
 *            after the random wait of at most 10 s, relays.md) and each `refresh`. None: no more.
 *            Where PROBE is no: answered at once by an empty `rtts`. Repeated while a round is
 *            under way: that one ends as it is, with the older id; the newer list is a new round.
 *   ask = "direct" {ask, peer, conn, address}
 *            Is there a QUIC server at `address` ("IP:PORT"), reached from here without a
 *            relay? One datagram of a reserved version (RFC 9000 §6.1, §15) of at least 1200
 *            bytes to it, from a socket of its own; a Version Negotiation that has both of our
 *            connection ids, the other way round, from that very address and port is the answer;
 *            given up after 2 s. Of too many at once, the later ones answer with an error at
 *            once. Where DIRECT_PROBE is no: likewise (the policy does not ask then).
 */
#ifndef RELAY_OPTIONS_H
#define RELAY_OPTIONS_H

enum relay_option {
    RELAY_OPTION_RELAYS,       /* TEXT: NAME=ADDR:PORT[,speaks], separated by blanks */
    RELAY_OPTION_SPEAKS,       /* TEXT: "reg-ack" or "pilot" */
    RELAY_OPTION_LIST_FILE,    /* PATH, not given: none */
    RELAY_OPTION_CACHE_FILE,   /* PATH, used only with a list file; default
                                  /run/pathdog/relays.json */
    RELAY_OPTION_KEY,          /* TEXT, hex; not given: the node's, else its name */
    RELAY_OPTION_FLIP_AFTER,   /* INTEGER 3 */
    RELAY_OPTION_CLEAR_AFTER,  /* INTEGER 3 */
    RELAY_OPTION_MAX_SILENCE,  /* TIME 8s */
    RELAY_OPTION_MAX_RELAYED,  /* INTEGER 4096 */
    RELAY_OPTION_PIN,          /* BOOLEAN yes: who was flipped never goes back by itself */
    RELAY_OPTION_REFRESH,      /* TIME 60s */
    RELAY_OPTION_PROBE,        /* BOOLEAN yes: measure the relays */
    RELAY_OPTION_DIRECT_PROBE, /* BOOLEAN yes: try the direct way of those that may go back */
    RELAY_OPTION_DIRECT_EVERY, /* TIME 20s: from one try to the next, of one connection (the policy
                                  keeps the time) */
};

/* Longest wait for an answer to a probe, of a relay or of the direct way. */
#define RELAY_PROBE_US 2000000u
/* The first round is at a random time before this. */
#define RELAY_FIRST_US 10000000u
/* An older cache is not used. */
#define RELAY_CACHE_US 3600000000u

#endif
