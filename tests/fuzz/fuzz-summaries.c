/* SPDX-License-Identifier: Apache-2.0 */
/* Any line as summaries: nothing leaves that the contract does not allow. */
#include "fuzz.h"

#include <errno.h>

#include "node/summaries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct summaries batch = {0};
    char *line = malloc(size ? size : 1); /* of its own: reading beyond it is seen */
    int r;

    MUST(line);
    memcpy(line, data, size);
    r = summaries_decode(line, size, &batch);
    free(line);
    MUST(r == 0 || r == -EPROTO || r == -EBADMSG);
    MUST(r == 0 || batch.n_rows == 0);
    MUST((batch.columns >> PD_COLUMN_COUNT) == 0);
    MUST(!batch.bad_rows == !batch.bad_why);
    for (size_t i = 0; i < batch.n_rows; i++) {
        MUST(batch.rows[i].conn >= 1 && batch.rows[i].conn <= CONN_MAX);
        for (size_t c = 0; c < PD_COLUMN_COUNT; c++) {
            uint64_t value = batch.rows[i].row.v[c];

            MUST(value <= CONN_MAX || value == PD_UNKNOWN);
            MUST(value == PD_UNKNOWN || batch.columns & (1u << c));
            MUST((c != PD_CONGESTED && c != PD_IN_RECOVERY) || value <= 1 || value == PD_UNKNOWN);
        }
    }
    summaries_clear(&batch);
    return 0;
}
