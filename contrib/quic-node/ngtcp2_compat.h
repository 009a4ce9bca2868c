/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ngtcp2 0.12 (Debian 12) and 1.x (Debian 13), by the names of 1.x. The only place that knows
 * of versions.
 */
#ifndef NGTCP2_COMPAT_H
#define NGTCP2_COMPAT_H

#include <ngtcp2/ngtcp2.h>
#include <stdbool.h>
#include <stdint.h>

/* What is counted from the log, for want of a call that says it. */
struct quic_counted {
    uint64_t rtt_samples, packets_lost;
    uint64_t acks;              /* so often something new was acknowledged, on whatever path */
    uint64_t pto_count;         /* PTOs since the last acknowledgement */
    uint64_t recovery_start_ns; /* UINT64_MAX: none */
};

/* What this node reads of a connection's present path. */
struct quic_numbers {
    bool measured; /* there was an RTT sample */
    uint64_t latest_rtt, min_rtt, smoothed_rtt, rttvar, cwnd, bytes_in_flight;
    uint64_t pto_count, recovery_start_ns;
};

#if NGTCP2_VERSION_NUM < 0x010000

typedef ngtcp2_connection_close_error ngtcp2_ccerr;

#define NGTCP2_CCERR_TYPE_APPLICATION      NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
#define ngtcp2_ccerr_default               ngtcp2_connection_close_error_default
#define ngtcp2_ccerr_set_application_error ngtcp2_connection_close_error_set_application_error
#define ngtcp2_ccerr_set_liberr            ngtcp2_connection_close_error_set_transport_error_liberr
#define ngtcp2_ccerr_set_tls_alert         ngtcp2_connection_close_error_set_transport_error_tls_alert
#define ngtcp2_conn_in_closing_period      ngtcp2_conn_is_in_closing_period
#define ngtcp2_conn_in_draining_period     ngtcp2_conn_is_in_draining_period

#define QUIC_PATH_VALIDATION_PARAMETERS                                                            \
    ngtcp2_conn *quic, uint32_t flags, const ngtcp2_path *path,                                    \
        ngtcp2_path_validation_result result, void *user_data

static inline ngtcp2_ccerr quic_peer_error(ngtcp2_conn *quic)
{
    ngtcp2_ccerr error;

    ngtcp2_conn_get_connection_close_error(quic, &error);
    return error;
}

static inline void quic_set_original_dcid(ngtcp2_transport_params *params, const ngtcp2_cid *cid)
{
    params->original_dcid = *cid;
}

static inline struct quic_numbers quic_numbers(ngtcp2_conn *quic,
                                               const struct quic_counted *counted)
{
    ngtcp2_conn_stat stat;

    (void)counted;
    ngtcp2_conn_get_conn_stat(quic, &stat);
    return (struct quic_numbers){
        .measured = stat.first_rtt_sample_ts != UINT64_MAX,
        .latest_rtt = stat.latest_rtt,
        .min_rtt = stat.min_rtt,
        .smoothed_rtt = stat.smoothed_rtt,
        .rttvar = stat.rttvar,
        .cwnd = stat.cwnd,
        .bytes_in_flight = stat.bytes_in_flight,
        .pto_count = stat.pto_count,
        .recovery_start_ns = stat.congestion_recovery_start_ts,
    };
}

#else

#define QUIC_PATH_VALIDATION_PARAMETERS                                                            \
    ngtcp2_conn *quic, uint32_t flags, const ngtcp2_path *path, const ngtcp2_path *old_path,       \
        ngtcp2_path_validation_result result, void *user_data

static inline ngtcp2_ccerr quic_peer_error(ngtcp2_conn *quic)
{
    return *ngtcp2_conn_get_ccerr(quic);
}

static inline void quic_set_original_dcid(ngtcp2_transport_params *params, const ngtcp2_cid *cid)
{
    params->original_dcid = *cid;
    params->original_dcid_present = 1;
}

static inline struct quic_numbers quic_numbers(ngtcp2_conn *quic,
                                               const struct quic_counted *counted)
{
    ngtcp2_conn_info stat;

    ngtcp2_conn_get_conn_info(quic, &stat);
    return (struct quic_numbers){
        .measured = stat.min_rtt != UINT64_MAX,
        .latest_rtt = stat.latest_rtt,
        .min_rtt = stat.min_rtt,
        .smoothed_rtt = stat.smoothed_rtt,
        .rttvar = stat.rttvar,
        .cwnd = stat.cwnd,
        .bytes_in_flight = stat.bytes_in_flight,
        .pto_count = counted->pto_count,
        .recovery_start_ns = counted->recovery_start_ns,
    };
}

#endif

#endif
