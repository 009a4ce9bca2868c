/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of watchdog/metrics/: the socket and its timers (metrics.c), who scrapes (scraper.c), and
 * what they are given (look.c, gather.c). Bounds are here.
 *
 * A scraper asks once. Then it waits until all connections were looked at, which is done in slices
 * of TURN_US, once for all who wait; and gets a page that is written once for all of them.
 */
#ifndef METRICS_PRIVATE_H
#define METRICS_PRIVATE_H

#include "../util/clock.h"
#include "../util/retry.h"
#include "../util/unix-socket.h"
#include "http.h"
#include "metrics.h"
#include "page.h"

#define SCRAPERS_MAX 32u
#define TURN_US      UINT64_C(1000)     /* of looking, between two looks at anything else */
#define PLACES_STEP  256u               /* of the table, between two looks at the clock */
#define REUSE_FACTOR 10u                /* a look is good for so many times as long as it took */
#define ASK_US       UINT64_C(5000000)  /* a request must be there so long after the beginning */
#define TAKE_US      UINT64_C(10000000) /* one that takes nothing for so long is closed */
#define ALL_US       UINT64_C(30000000) /* and one that has not taken all of it after so long */
#define LINGER_US    UINT64_C(1000000)  /* after an error: for what it still sends */
#define LINGER_BYTES ((size_t)64 * 1024)
#define MAKES_ROOM_US                                                                              \
    UINT64_C(1000000) /* one that did nothing for so long makes room for another */
#define SWEEP_US UINT64_C(500000)

/* Shared by those who are given it. */
struct page {
    unsigned refs;
    struct buffer bytes;
};

enum scraper_state {
    SCRAPER_ASKS,
    SCRAPER_WAITS, /* for its page */
    SCRAPER_TAKES, /* its answer */
    SCRAPER_LEAVES /* it has been told an error: what it still sends is thrown away */
};

struct scraper {
    struct metrics *metrics;
    sd_event_source *io;
    int fd;
    enum scraper_state state;
    uint64_t began_us, moved_us; /* when it last sent or took something */
    struct buffer in, head;
    struct http_request request;
    struct page *page; /* NULL: the head is all */
    size_t sent;       /* bytes of head and page */
    size_t thrown;
};

struct metrics {
    struct metrics_host host;
    struct counts counts;
    struct unix_socket listener;
    char *path;
    sd_event_source *accept, *sweep, *work;
    struct retry accepting;
    struct scraper *scrapers[SCRAPERS_MAX];
    uint32_t n_scrapers;
    uint64_t n_refused; /* not said yet */
    uint64_t scrapes[SCRAPE_COUNT];

    /* the look at all connections that is under way */
    bool looking;
    uint32_t place;
    struct inspect_tally tally;
    uint64_t looking_us; /* CPU time of it so far */
    /* the last one */
    struct inspect_tally looked;
    uint64_t looked_us; /* when it ended; 0: none yet */
    uint64_t took_us;
};

/* ---- scraper.c ---- */

/* NULL is fine. Returns NULL. */
struct page *page_unref(struct page *page);
/* Takes `fd` over: gives it a place, or tells it that there is none, and closes it. */
void scraper_admit(struct metrics *metrics, int fd);
/* Gives it this page. */
void scraper_give(struct scraper *scraper, struct page *page);
/* Is gone, and so it ended. NULL is fine. */
void scraper_drop(struct scraper *scraper, enum scrape how);
/* Closes those who take too long. Returns true: others are left. */
bool scrapers_sweep(struct metrics *metrics, uint64_t now_us);
/* Asks for one, if none is due. */
void scrapers_sweep_later(struct metrics *metrics);

/* ---- look.c ---- */

/* Somebody waits for what will be seen. */
void look_begin(struct metrics *metrics);
/* A slice of it. Returns true: that was all. */
bool look_on(struct metrics *metrics);

/* ---- gather.c ---- */

/* A slice of looking; at its end all who wait are given their pages. */
int gather_run(sd_event_source *source, int fd, uint32_t revents, void *user);

/* ---- process.c ---- */

/* What the kernel says of this process; 0 where it does not. */
void process_read(uint64_t *ret_cpu_us, uint64_t *ret_resident_bytes);

#endif
