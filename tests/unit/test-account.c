/* SPDX-License-Identifier: Apache-2.0 */
/* util/account.[ch], util/exit-status.h: who is not there, and who cannot be looked for. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/account.h"
#include "util/exit-status.h"

static void found(void **state)
{
    uid_t uid = 7;
    gid_t gid = 7;

    (void)state;
    assert_int_equal(account_user("root", &uid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(account_group("root", &gid), 0);
    assert_int_equal(gid, 0);
}

static void not_there(void **state)
{
    uid_t uid = 7;
    gid_t gid = 7;

    (void)state;
    assert_int_equal(account_user("no-such-user", &uid), -ENOENT);
    assert_int_equal(account_group("no-such-group", &gid), -ENOENT);
    assert_int_equal(account_group("", &gid), -ENOENT);
    assert_true(uid == 7 && gid == 7);
}

/* Without a descriptor nothing can be looked up: that is no word about the account. */
static void not_known(void **state)
{
    struct rlimit before, none;
    uid_t uid;
    gid_t gid;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC), users[2], groups[2];

    (void)state;
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    users[0] = account_user("root", &uid);
    users[1] = account_user("no-such-user", &uid);
    groups[0] = account_group("root", &gid);
    groups[1] = account_group("no-such-group", &gid);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(users[1], -EMFILE);
    assert_int_equal(groups[1], -EMFILE);
    /* Some name services know root without a file. */
    assert_true(users[0] == 0 || users[0] == -EMFILE);
    assert_true(groups[0] == 0 || groups[0] == -EMFILE);
}

static void whose_fault(void **state)
{
    static const int operators[] = {EINVAL, ENOENT, EACCES, EPERM, ELOOP, EISDIR, ENOTDIR},
                     machines[] = {EIO,   EMFILE, ENFILE,  ENOMEM, ENOSPC,    EDQUOT, EAGAIN,
                                   EINTR, EFBIG,  ENOBUFS, ESTALE, ETIMEDOUT, ENOSYS};

    (void)state;
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
        assert_int_equal(exit_status_of(-operators[i]), 2);
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
        assert_int_equal(exit_status_of(-machines[i]), 1);
    assert_int_equal(exit_status_of(-EBUSY), 75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found),
        cmocka_unit_test(not_there),
        cmocka_unit_test(not_known),
        cmocka_unit_test(whose_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
