/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is checked, and what came of it: one result for each name. Prints lines or
 * JSON. It must not know how a check is made.
 */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* In the order in which they are printed with --list; the names are in report.c. */
enum check {
    CHECK_SOCKET_MODE,
    CHECK_SOCKET_DIRECTORY,
    CHECK_SOCKET_RENAME,
    CHECK_HELLO,
    CHECK_HELLO_MEMBERS,
    CHECK_HELLO_FIRST,
    CHECK_HELLO_NETNS,
    CHECK_HELLO_BOOT,
    CHECK_HELLO_TWICE,
    CHECK_HELLO_VERSIONS,
    CHECK_HELLO_UNSUPPORTED,
    CHECK_EARLY_REQUEST,
    CHECK_SNAPSHOT,
    CHECK_SNAPSHOT_FIRST,
    CHECK_SNAPSHOT_AGAIN,
    CHECK_SUMMARY,
    CHECK_SUMMARY_ORDER,
    CHECK_SUMMARY_CONNS,
    CHECK_SUMMARY_UNKNOWN,
    CHECK_SUMMARY_MANY,
    CHECK_PROBE,
    CHECK_PROBE_PATH,
    CHECK_PROBE_PATH_NOWHERE,
    CHECK_PROBE_PATH_UNKNOWN,
    CHECK_MIGRATE_UNKNOWN,
    CHECK_RECONNECT_UNKNOWN,
    CHECK_REASON_MISSING,
    CHECK_BAD_PARAMS,
    CHECK_UNKNOWN_METHOD,
    CHECK_UNKNOWN_PARAMS,
    CHECK_NULL_MEMBERS,
    CHECK_IGNORED,
    CHECK_SPLIT_LINES,
    CHECK_ONE_WRITE,
    CHECK_EMPTY_LINES,
    CHECK_LONG_LINE,
    CHECK_OVERLONG_LINE,
    CHECK_BAD_LINES,
    CHECK_NEWER_CLIENT,
    CHECK_HALF_LINE,
    CHECK_OUTPUT_BUFFER,
    CHECK_SLOW_READER,
    CHECK_MOVE,
    CHECK_MOVE_BUSY,
    CHECK_MOVE_OPEN,
    CHECK_MOVE_LOCAL,
    CHECK_MOVE_NOWHERE,
    CHECK_MOVE_SAMPLES,
    CHECK_CANCEL,
    CHECK_RECONNECT,
    CHECK_RECONNECT_BIND,
    CHECK_RECONNECT_ORDER,
    CHECK_KEEP_OLD,
    /* from here on: seen in everything that the node sends during the others */
    CHECK_LINE_LENGTH,
    CHECK_LINE_UTF8,
    CHECK_LINE_JSON,
    CHECK_VERSION,
    CHECK_MESSAGES,
    CHECK_REQUESTS,
    CHECK_ANSWERED,
    CHECK_ANSWER_ONCE,
    CHECK_ANSWER_KNOWN,
    CHECK_KEPT_OPEN,
    CHECK_PEER_NAME,
    CHECK_PEER_CONN,
    CHECK_PEER_ROLE,
    CHECK_PEER_MEMBERS,
    CHECK_RELAYS,
    CHECK_ADDRESSES,
    CHECK_CONN_NAME,
    CHECK_CONN_AGAIN,
    CHECK_CONN_GROWS,
    CHECK_CONN_KNOWN,
    CHECK_COLUMNS,
    CHECK_COLUMNS_SAME,
    CHECK_COLUMNS_PROGRESS,
    CHECK_COLUMNS_OUTSTANDING,
    CHECK_ROWS,
    CHECK_ROWS_KNOWN,
    CHECK_ROWS_ONCE,
    CHECK_VALUES,
    CHECK_COUNTERS,
    CHECK_AGREE,
    CHECK_PUSH,
    CHECK_COUNT
};

#define CHECK_FIRST_SEEN CHECK_LINE_LENGTH

enum status { STATUS_OPEN, STATUS_OK, STATUS_FAIL, STATUS_SKIP };

struct result {
    enum status status; /* STATUS_OPEN until it is settled */
    bool seen;          /* something of the kind was looked at */
    uint64_t faults;
    char *why; /* of the first fault, or why it is skipped */
};

/* Zeroed is new. */
struct report {
    struct result results[CHECK_COUNT];
    bool chosen[CHECK_COUNT]; /* to be told of; none: all */
    bool any_chosen;
    bool incomplete; /* not all could be tried */
    FILE *out;       /* where a line goes as soon as its check is settled; NULL: nowhere */
};

/* Something is wrong: the check fails, whatever comes later. The first is told. */
__attribute__((format(printf, 3, 4))) void report_fault(struct report *report, enum check check,
                                                        const char *format, ...);

/* Something of the kind was looked at. */
void report_seen(struct report *report, enum check check);

__attribute__((format(printf, 3, 4))) void report_skip(struct report *report, enum check check,
                                                       const char *format, ...);

/* Settles it: failed if there was a fault, else ok. */
void report_done(struct report *report, enum check check);

/* Settles what is left: what was seen is ok or failed, the rest is skipped, `why`
 * being the reason. */
void report_finish(struct report *report, const char *why);

/* Nothing fails, and all was tried. */
bool report_conforms(const struct report *report);

uint64_t report_count(const struct report *report, enum status status);

/* "NAME,NAME": these only. Returns 0, or -EINVAL with `*ret_bad` one that is none; the
 * caller frees it. */
int report_choose(struct report *report, const char *names, char **ret_bad);
bool report_wants(const struct report *report, enum check check);

void report_list(FILE *out);

/* The whole as one JSON object. `node` and `implementation` may be NULL. */
void report_json(const struct report *report, FILE *out, const char *socket, const char *node,
                 const char *implementation);

void report_clear(struct report *report);

#endif
