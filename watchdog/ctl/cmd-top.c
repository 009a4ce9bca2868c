/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl top: the loop between the terminal, the daemon and signals. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/util.h"
#include "channel.h"
#include "ctl.h"
#include "peers-order.h"
#include "top/app.h"
#include "top/screen.h"

#define NO_KEYS_MOST 100u /* a terminal that is readable and has nothing is gone */

struct top {
    struct app app;
    int signals;
    bool colour, over;
    unsigned no_keys;
};

/* SIGWINCH, and what ends it: the terminal is to be given back as it was. */
static int signals_open(void)
{
    static const int wanted[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        sigaddset(&set, wanted[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_signals(struct top *top)
{
    struct signalfd_siginfo info;

    while (read(top->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGWINCH) {
            top->over = true;
            return;
        }
        screen_resize();
        top->app.drawn = false;
    }
}

static void take_keys(struct top *top, uint64_t now_us)
{
    uint32_t key = screen_key();

    top->no_keys = key == KEY_OF_NONE ? top->no_keys + 1 : 0;
    if (top->no_keys > NO_KEYS_MOST)
        top->over = true;
    for (; key != KEY_OF_NONE && !top->over; key = screen_key()) {
        struct top_action action;

        top->app.model.now_us = now_us;
        action = top_key(&top->app.model, key);
        if (action.what == DO_QUIT)
            top->over = true;
        if (action.what == DO_REDRAW)
            screen_spoil();
        app_do(&top->app, now_us, &action);
    }
}

static void draw(struct top *top)
{
    struct canvas canvas;
    int rows, cols, cursor;

    screen_size(&rows, &cols);
    top->app.model.wall_us = clock_us(CLOCK_REALTIME);
    canvas_init(&canvas, rows, cols, top->app.model.utf8);
    cursor = top_draw(&top->app.model, &canvas);
    screen_show(&canvas, cursor, top->colour);
    canvas_clear(&canvas);
    top->app.drawn = true;
}

static void turn(struct top *top)
{
    struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = top->signals, .events = POLLIN},
                            {.fd = -1, .events = POLLIN}};
    uint64_t now_us = clock_us(CLOCK_MONOTONIC), due_us = app_due(&top->app);

    if (top->app.feed.channel)
        fds[2].fd = channel_fd(top->app.feed.channel);
    if (poll(fds, ARRAY_SIZE(fds), (int)((sub_u64(due_us, now_us) + 999) / 1000)) < 0 &&
        errno != EINTR)
        top->over = true;
    now_us = clock_us(CLOCK_MONOTONIC);
    if (fds[1].revents)
        take_signals(top);
    if (fds[2].revents || top->app.feed.more)
        app_read(&top->app, now_us);
    if (fds[0].revents & POLLIN)
        take_keys(top, now_us);
    else if (fds[0].revents)
        top->over = true; /* the terminal is gone */
    app_turn(&top->app, now_us);
    if (!top->app.drawn && !top->over)
        draw(top);
}

/* The first of the orders is the default. */
static enum ctl_status sort_find(struct top *top, const char *key)
{
    char list[128] = "";

    for (size_t i = 0; top_sorts[i]; i++) {
        if (!strcmp(key, top_sorts[i])) {
            top->app.model.sort = i;
            return CTL_GOOD;
        }
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
                 top_sorts[i]);
    }
    return usage("--sort %s: of top, allowed is one of %s", key, list);
}

static enum ctl_status prepare(struct top *top)
{
    struct ctl *ctl = top->app.ctl;
    enum ctl_status status = CTL_GOOD;
    json_t *version;

    if (ctl->options.json)
        return usage("top has no --json: \"pathdogctl --json peers\" and \"status\" have");
    if (ctl->options.sort)
        status = sort_find(top, ctl->options.sort);
    if (ctl->n_words && strlen(ctl->words[0]) >= sizeof(top->app.model.filter))
        status = usage("the filter is too long: allowed are 255 bytes");
    if (status != CTL_GOOD)
        return status;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        complain("top needs a terminal, and standard %s is none: \"pathdogctl status\" and "
                 "\"pathdogctl peers\" print once",
                 isatty(STDOUT_FILENO) ? "input" : "output");
        return CTL_FAILED;
    }
    if (ctl->n_words)
        snprintf(top->app.model.filter, sizeof(top->app.model.filter), "%s", ctl->words[0]);
    version = ctl_call(ctl, "version", NULL, &status); /* who cannot be reached is said at once */
    json_decref(version);
    ctl->channel = channel_free(ctl->channel);
    return status;
}

enum ctl_status command_top(struct ctl *ctl)
{
    struct top top = {.signals = -1, .colour = ctl->colour};
    enum ctl_status status;
    char why[256];

    app_init(&top.app, ctl, false);
    status = prepare(&top);
    if (status == CTL_GOOD && (top.signals = signals_open()) < 0) {
        complain("top cannot wait for signals: %s", strerror(-top.signals));
        status = CTL_FAILED;
    }
    if (status == CTL_GOOD && screen_open(ctl->colour, why, sizeof(why)) < 0) {
        complain("top cannot use this terminal: %s", why);
        status = CTL_FAILED;
    }
    if (status == CTL_GOOD) {
        top.app.model.utf8 = screen_utf8();
        top.app.model.now_us = clock_us(CLOCK_MONOTONIC);
        while (!top.over)
            turn(&top);
        screen_close();
    }
    if (top.signals >= 0)
        close(top.signals);
    app_clear(&top.app);
    return status;
}
