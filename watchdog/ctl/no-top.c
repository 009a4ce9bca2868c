/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl top, in a build without ncurses. */
#include "ctl.h"

enum ctl_status command_top(struct ctl *ctl)
{
    complain("this pathdogctl was built without top, which needs ncurses: install libncurses-dev, "
             "and build it with \"meson setup -Dtop=enabled\"; \"pathdogctl status\" and "
             "\"pathdogctl peers\" say the same");
    return CTL_FAILED;
}
