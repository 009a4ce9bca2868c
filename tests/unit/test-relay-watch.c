/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/watch.c: what inotify says of one file. */
#include "check.h"

#include "relay/watch.h"

#include "util/util.h"

#include <sys/inotify.h>

#define WD 5

static char bytes[1024];
static size_t length;

static void add(int wd, uint32_t mask, const char *name)
{
    struct inotify_event event = {.wd = wd, .mask = mask, .len = name ? 32 : 0};

    memcpy(bytes + length, &event, sizeof(event));
    length += sizeof(event);
    memset(bytes + length, 0, event.len);
    if (name)
        memcpy(bytes + length, name, strlen(name));
    length += event.len;
}

static struct watch_seen seen(void)
{
    struct watch_seen all = {0};

    watch_events(bytes, length, WD, "relays", &all);
    length = 0;
    return all;
}

static void test_what_counts(void **state)
{
    static const uint32_t masks[] = {IN_CLOSE_WRITE, IN_MOVED_TO, IN_MOVED_FROM, IN_DELETE,
                                     IN_ATTRIB};

    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        add(WD, masks[i], "other");
        add(WD, masks[i], "relays");
        assert_true(seen().changed);
        add(WD, masks[i], "..data"); /* of a directory that is exchanged by a link */
        assert_true(seen().changed);
    }
    add(-1, IN_Q_OVERFLOW, NULL);
    assert_true(seen().changed);
    add(WD, IN_ATTRIB | IN_ISDIR, NULL);
    assert_true(seen().changed);
}

static void test_what_does_not(void **state)
{
    struct watch_seen all;

    add(WD, IN_MOVED_TO, "relays2");
    add(WD, IN_MOVED_TO, "relay");
    add(WD, IN_CLOSE_WRITE, ".relays.0123");
    add(WD + 1, IN_MOVED_TO, "relays"); /* an old watch */
    add(WD + 1, IN_IGNORED, NULL);
    all = seen();
    assert_false(all.changed || all.gone);
    all = seen(); /* nothing at all */
    assert_false(all.changed || all.gone);
}

static void test_gone(void **state)
{
    static const uint32_t masks[] = {IN_IGNORED, IN_DELETE_SELF, IN_MOVE_SELF, IN_UNMOUNT};

    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        struct watch_seen all;

        add(WD, masks[i], NULL);
        all = seen();
        assert_true(all.changed && all.gone);
    }
}

static void test_cut_off(void **state)
{
    add(WD, IN_MOVED_TO, "relays");
    while (length) {
        struct watch_seen all = {0};

        watch_events(bytes, --length, WD, "relays", &all);
        assert_false(all.changed || all.gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_what_does_not),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
