/* SPDX-License-Identifier: Apache-2.0 */
/* When the mover has something to do by itself. */
#include "mover-private.h"

#include <sys/timerfd.h>

#include "util/util.h"

void mover_timer_arm(struct mover *mover)
{
    uint64_t at = UINT64_MAX;
    struct itimerspec when = {0};

    if (mover->moved.late_first)
        at = mover->moved.late_first->late_until_us;
    if (mover->routes_due)
        at = min_u64(at, mover->routes_at_us);
    if (mover->table_due)
        at = min_u64(at, mover->table_at_us);
    if (at != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(at / 1000000);
        when.it_value.tv_nsec = (long)(at % 1000000 * 1000) + 1;
    }
    timerfd_settime(mover->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}
