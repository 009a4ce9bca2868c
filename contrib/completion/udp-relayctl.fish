# SPDX-License-Identifier: Apache-2.0
# fish completion for udp-relayctl(1).

complete -c udp-relayctl -f
complete -c udp-relayctl -n 'not __fish_seen_subcommand_from status sessions metrics' -a 'status sessions metrics'
complete -c udp-relayctl -l socket -r -F -d 'the control socket'
complete -c udp-relayctl -l json -d 'the answer as it came'
complete -c udp-relayctl -l version -d 'print the version'
complete -c udp-relayctl -s h -l help -d 'print the help'
