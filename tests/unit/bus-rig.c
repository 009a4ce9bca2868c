/* SPDX-License-Identifier: Apache-2.0 */
#include "bus-rig.h"

#include "check.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/format.h"

static const char policy[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" "
    "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig><type>custom</type><listen>%s</listen><auth>EXTERNAL</auth>"
    "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
    "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n";

static void write_policy(const char *path, const char *address)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fprintf(file, policy, address) > 0);
    assert_int_equal(fclose(file), 0);
}

int bus_rig_new(struct bus_rig *rig)
{
    strcpy(rig->directory, "/tmp/test-bus-XXXXXX");
    if (!mkdtemp(rig->directory))
        return -1;
    rig->path = string_format("%s/bus", rig->directory);
    rig->address = string_format("unix:path=%s", rig->path);
    return 0;
}

void bus_rig_free(struct bus_rig *rig)
{
    CLEANUP_FREE char *config = string_format("%s/bus.conf", rig->directory);

    bus_rig_stop(rig);
    unlink(config);
    unlink(rig->path);
    rmdir(rig->directory);
    free(rig->path);
    free(rig->address);
}

bool bus_rig_possible(void)
{
    return system("command -v dbus-daemon >/dev/null") == 0;
}

void bus_rig_start(struct bus_rig *rig)
{
    CLEANUP_FREE char *config = string_format("%s/bus.conf", rig->directory);
    CLEANUP_FREE char *option = string_format("--config-file=%s", config);
    char address[256];
    int ends[2];

    write_policy(config, rig->address);
    assert_int_equal(pipe(ends), 0);
    rig->daemon = fork();
    assert_true(rig->daemon >= 0);
    if (!rig->daemon) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 3);
        (void)freopen("/dev/null", "w", stderr);
        close_range(4, ~0U, 0);
        execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--print-address=3", option,
               (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_true(read(ends[0], address, sizeof(address)) > 0);
    close(ends[0]);
}

void bus_rig_stop(struct bus_rig *rig)
{
    if (rig->daemon <= 0)
        return;
    kill(rig->daemon, SIGKILL);
    waitpid(rig->daemon, NULL, 0);
    rig->daemon = 0;
    unlink(rig->path);
}
