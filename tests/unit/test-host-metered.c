/* SPDX-License-Identifier: Apache-2.0 */
/* With a real bus of its own, dbus-daemon, and a NetworkManager of the test. Skipped without one.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus-rig.h"
#include "fake-nm.h"
#include "host-metered.h"
#include "util/clock.h"
#include "util/format.h"

#define DBUS "org.freedesktop.DBus"
#define NM   "org.freedesktop.NetworkManager"

/* Only a fault takes as long. */
#define PATIENCE_US UINT64_C(60000000)

enum {
    METERED_YES = 1,
    METERED_NO,
    METERED_GUESS_YES,
    METERED_GUESS_NO,
};

struct lab {
    struct bus_rig bus;
    sd_event *loop;
    struct fake_nm *nm;
    struct host_metered *metered;
    unsigned n_changed, n_notices;
    char *notice;
};

/* ---- the lab ---- */

static void on_changed(void *user)
{
    ((struct lab *)user)->n_changed++;
}

static void on_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct lab *lab = user;

    assert_int_equal(level, PD_LEVEL_WARNING);
    assert_string_equal(what, "metered-unknown");
    lab->n_notices++;
    free(lab->notice);
    lab->notice = string_copy(text);
}

static void metered_start(struct lab *lab, const char *address)
{
    const struct host_metered_config config = {
        .loop = lab->loop,
        .address = address,
        .timeout_us = 300000,
        .changed = on_changed,
        .notice = on_notice,
        .user = lab,
    };

    assert_int_equal(host_metered_new(&config, &lab->metered), 0);
}

static int set_up(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    *state = lab;
    if (bus_rig_new(&lab->bus) < 0 || sd_event_new(&lab->loop) < 0)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;

    host_metered_free(lab->metered);
    if (lab->nm)
        fake_nm_free(lab->nm);
    bus_rig_free(&lab->bus);
    sd_event_unref(lab->loop);
    free(lab->notice);
    free(lab);
    return 0;
}

/* A bus with NetworkManager, and who watches it. */
static void lab_start(struct lab *lab)
{
    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    lab->nm = fake_nm_new(lab->loop, lab->bus.address);
    metered_start(lab, lab->bus.address);
}

static void turn(struct lab *lab)
{
    assert_true(sd_event_run(lab->loop, 50000) >= 0);
}

static void wait_metered(struct lab *lab, const char *interface, bool metered)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (host_metered_is(lab->metered, interface) != metered) {
        if (clock_us(CLOCK_MONOTONIC) > end_us)
            fail_msg("%s is not %s; the notice is: %s", interface, metered ? "metered" : "free",
                     lab->notice ? lab->notice : "none");
        turn(lab);
    }
}

static void wait_notice(struct lab *lab, const char *words)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (!lab->notice || !strstr(lab->notice, words)) {
        if (clock_us(CLOCK_MONOTONIC) > end_us)
            fail_msg("no notice has \"%s\": %s", words, lab->notice ? lab->notice : "none");
        turn(lab);
    }
}

/* ---- tests ---- */

static void test_values(void **state)
{
    static const struct {
        uint32_t value;
        bool metered;
    } rows[] = {
        {METERED_NO, false},
        {METERED_GUESS_YES, true},
        {METERED_GUESS_NO, false},
        {METERED_YES, true},
        {0, false},
    };
    struct lab *lab = *state;
    unsigned n_changed;

    lab_start(lab);
    fake_nm_add(lab->nm, "wlan0", "wlan0", METERED_YES);
    fake_nm_add(lab->nm, "eth0", "", METERED_NO);
    wait_metered(lab, "wlan0", true);
    assert_false(host_metered_is(lab->metered, "eth0"));
    assert_false(host_metered_is(lab->metered, "nowhere0"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        n_changed = lab->n_changed;
        fake_nm_set(lab->nm, "wlan0", rows[i].value);
        wait_metered(lab, "wlan0", rows[i].metered);
        assert_true(lab->n_changed > n_changed);
    }
    assert_int_equal(lab->n_notices, 0);
}

/* What was there before, what comes, and what goes. */
static void test_devices(void **state)
{
    struct lab *lab = *state;

    lab_start(lab);
    wait_metered(lab, "wlan0", false);
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    wait_metered(lab, "wlan0", true);
    fake_nm_add(lab->nm, "usb0", "", METERED_GUESS_YES);
    wait_metered(lab, "usb0", true);
    fake_nm_remove(lab->nm, "wlan0");
    wait_metered(lab, "wlan0", false);
    assert_true(host_metered_is(lab->metered, "usb0"));
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    wait_metered(lab, "wlan0", true);
    assert_int_equal(lab->n_notices, 0);
}

/* The device is the control port; IP goes over another interface, known once it is connected. */
static void test_a_modem(void **state)
{
    struct lab *lab = *state;

    lab_start(lab);
    fake_nm_add(lab->nm, "cdc-wdm0", "", METERED_GUESS_YES);
    wait_metered(lab, "cdc-wdm0", true);
    fake_nm_set_ip_name(lab->nm, "cdc-wdm0", "mobile0");
    wait_metered(lab, "mobile0", true);
    assert_false(host_metered_is(lab->metered, "cdc-wdm0"));
}

static void test_network_manager_goes_and_comes(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    metered_start(lab, lab->bus.address);
    for (unsigned i = 0; i < 3; i++) {
        lab->nm = fake_nm_new(lab->loop, lab->bus.address);
        fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
        wait_metered(lab, "wlan0", true);
        lab->nm = fake_nm_free(lab->nm);
        wait_metered(lab, "wlan0", false);
    }
    assert_int_equal(lab->n_notices, 0);
}

static void test_the_bus_goes_and_comes(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    metered_start(lab, lab->bus.address);
    turn(lab);
    for (unsigned i = 0; i < 2; i++) {
        bus_rig_start(&lab->bus);
        lab->nm = fake_nm_new(lab->loop, lab->bus.address);
        fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
        wait_metered(lab, "wlan0", true);
        bus_rig_stop(&lab->bus);
        wait_metered(lab, "wlan0", false);
        lab->nm = fake_nm_free(lab->nm);
    }
    assert_int_equal(lab->n_notices, 0);
}

static void test_no_answer(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    lab->nm = fake_nm_new(lab->loop, lab->bus.address);
    lab->nm->mute = true;
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    metered_start(lab, lab->bus.address);
    wait_notice(lab, "NetworkManager: Method call timed out: which interfaces");
    lab->nm->mute = false;
    wait_metered(lab, "wlan0", true);
    assert_int_equal(lab->n_notices, 1);
}

/* The second time it is new again. */
static void test_refused(void **state)
{
    struct lab *lab = *state;

    lab_start(lab);
    for (unsigned i = 1; i <= 2; i++) {
        lab->nm->refuses = true;
        wait_notice(lab, "NetworkManager: not for you: which interfaces");
        assert_int_equal(lab->n_notices, i);
        free(lab->notice);
        lab->notice = NULL;
        lab->nm->refuses = false;
        fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
        wait_metered(lab, "wlan0", true);
        if (i == 2)
            break;
        lab->nm = fake_nm_free(lab->nm);
        wait_metered(lab, "wlan0", false);
        lab->nm = fake_nm_new(lab->loop, lab->bus.address);
    }
}

static void test_malformed(void **state)
{
    struct lab *lab = *state;

    lab_start(lab);
    lab->nm->malformed = true;
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    wait_notice(lab, "NetworkManager's properties of a device: ");
    fake_nm_remove(lab->nm, "wlan0");
    lab->nm->malformed = false;
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    wait_metered(lab, "wlan0", true);
}

/* The first ones of the list: so nothing is signalled any more when it is asked for. */
static void test_more_devices_than_are_kept(void **state)
{
    struct lab *lab = *state;
    char name[16];

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    lab->nm = fake_nm_new(lab->loop, lab->bus.address);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "eth%u", i);
        fake_nm_add(lab->nm, name, "", METERED_YES);
    }
    fake_nm_settle(lab->nm);
    metered_start(lab, lab->bus.address);
    wait_metered(lab, "eth255", true);
    assert_false(host_metered_is(lab->metered, "eth256"));
    fake_nm_remove(lab->nm, "eth0");
    wait_metered(lab, "eth0", false);
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    wait_metered(lab, "wlan0", true);
}

static int mute_bus(struct lab *lab, struct sockaddr_un *ret_name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_name = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret_name->sun_path, sizeof(ret_name->sun_path), "%s", lab->bus.path);
    assert_int_equal(bind(fd, (struct sockaddr *)ret_name, sizeof(*ret_name)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* Somebody listens and never says a word: the loop does not wait, as sd-bus would for 90 s. */
static void test_a_bus_that_says_nothing(void **state)
{
    struct lab *lab = *state;
    struct sockaddr_un name;
    int fd = mute_bus(lab, &name);
    uint64_t begin_us = clock_us(CLOCK_MONOTONIC);

    metered_start(lab, lab->bus.address);
    for (unsigned i = 0; i < 20; i++)
        turn(lab);
    assert_true(clock_us(CLOCK_MONOTONIC) - begin_us < PATIENCE_US);
    assert_false(host_metered_is(lab->metered, "wlan0"));
    close(fd);
}

/* Nor for a place among those that wait to be accepted. */
static void test_a_bus_that_accepts_nobody(void **state)
{
    struct lab *lab = *state;
    struct sockaddr_un name;
    int fd = mute_bus(lab, &name), others[16], count = 0;

    for (; count < 16; count++) {
        others[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(others[count], (struct sockaddr *)&name, sizeof(name)) < 0)
            break;
    }
    assert_true(count < 16 && errno == EAGAIN);
    metered_start(lab, lab->bus.address);
    wait_notice(lab, "the system bus: Resource temporarily unavailable: which interfaces");
    for (; count >= 0; count--)
        close(others[count]);
    close(fd);
}

static void test_addresses(void **state)
{
    static const char *const refused[] = {"tcp:host=localhost,port=1", "unixexec:path=/bin/true",
                                          "unix:path=/a;unix:path=/b", "/run/dbus"};
    struct lab *lab = *state;

    metered_start(lab, "");
    lab->metered = host_metered_free(lab->metered);
    assert_int_equal(lab->n_notices, 0);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        metered_start(lab, refused[i]);
        lab->metered = host_metered_free(lab->metered);
        assert_int_equal(lab->n_notices, i + 1);
        assert_non_null(strstr(lab->notice, refused[i]));
        assert_non_null(strstr(lab->notice, "allowed is one address, unix:path=PATH"));
    }
    assert_false(host_metered_is(NULL, "wlan0"));
}

/* ---- strangers ---- */

static sd_bus_message *signal_new(sd_bus *bus, const char *to, const char *path,
                                  const char *interface, const char *member)
{
    sd_bus_message *message;

    assert_true(sd_bus_message_new_signal(bus, &message, path, interface, member) >= 0);
    assert_true(sd_bus_message_set_destination(message, to) >= 0);
    return message;
}

static void signal_send(sd_bus *bus, sd_bus_message *message)
{
    assert_true(sd_bus_send(bus, message, NULL) >= 0);
    sd_bus_message_unref(message);
}

/* As NetworkManager and the bus would say it, to pathdog alone. */
static void lie(sd_bus *bus, const char *to, const char *path)
{
    sd_bus_message *message = signal_new(bus, to, path, DBUS ".Properties", "PropertiesChanged");

    assert_true(sd_bus_message_append(message, "sa{sv}as", NM ".Device", 1, "Metered", "u",
                                      METERED_NO, 0) >= 0);
    signal_send(bus, message);
    message = signal_new(bus, to, "/org/freedesktop/NetworkManager", NM, "DeviceRemoved");
    assert_true(sd_bus_message_append(message, "o", path) >= 0);
    signal_send(bus, message);
    message = signal_new(bus, to, "/org/freedesktop/DBus", DBUS, "NameOwnerChanged");
    assert_true(sd_bus_message_append(message, "sss", NM, ":1.1", "") >= 0);
    signal_send(bus, message);
}

static void test_strangers(void **state)
{
    struct lab *lab = *state;
    sd_bus_message *answer;
    sd_bus *bus;

    lab_start(lab);
    fake_nm_add(lab->nm, "wlan0", "", METERED_YES);
    fake_nm_add(lab->nm, "usb0", "", METERED_NO);
    wait_metered(lab, "wlan0", true);
    assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, lab->bus.address) >= 0 &&
                sd_bus_set_bus_client(bus, true) >= 0 && sd_bus_start(bus) >= 0);
    lie(bus, lab->nm->asked_from, lab->nm->devices[0].path);
    /* When this is answered the bus has passed on what was sent before. */
    assert_true(sd_bus_call_method(bus, DBUS, "/org/freedesktop/DBus", DBUS, "GetId", NULL, &answer,
                                   NULL) >= 0);
    sd_bus_message_unref(answer);
    free(lab->nm->asked_from);
    lab->nm->asked_from = NULL;
    fake_nm_set(lab->nm, "usb0", METERED_YES);
    wait_metered(lab, "usb0", true);
    assert_true(host_metered_is(lab->metered, "wlan0"));
    assert_null(lab->nm->asked_from); /* nor was it begun again */
    sd_bus_flush_close_unref(bus);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_values),
        LAB_TEST(test_devices),
        LAB_TEST(test_a_modem),
        LAB_TEST(test_network_manager_goes_and_comes),
        LAB_TEST(test_the_bus_goes_and_comes),
        LAB_TEST(test_no_answer),
        LAB_TEST(test_refused),
        LAB_TEST(test_malformed),
        LAB_TEST(test_more_devices_than_are_kept),
        LAB_TEST(test_a_bus_that_says_nothing),
        LAB_TEST(test_a_bus_that_accepts_nobody),
        LAB_TEST(test_addresses),
        LAB_TEST(test_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
