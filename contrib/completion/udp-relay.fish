# SPDX-License-Identifier: Apache-2.0
# fish completion for udp-relay(8).

complete -c udp-relay -f
complete -c udp-relay -l bind -x -d 'address to serve'
complete -c udp-relay -l port -x -d 'UDP port'
complete -c udp-relay -l session-timeout-secs -x -d 'end of a session without activity'
complete -c udp-relay -l max-data -x -d 'bytes of a session in each direction'
complete -c udp-relay -l max-duration -x -d 'of a session'
complete -c udp-relay -l max-circuits -x -d 'sessions at a time'
complete -c udp-relay -l max-circuits-per-address -x -d 'of one address'
complete -c udp-relay -l reservation-ttl -x -d 'a registration waits so long'
complete -c udp-relay -l buffer-size -x -d 'largest datagram'
complete -c udp-relay -l members -r -F -d 'list of those who may register'
complete -c udp-relay -l acl-refresh -x -d 'a change of the list is taken within so long'
complete -c udp-relay -l service -x -a 'yes no' -d 'no: register nobody'
complete -c udp-relay -l rebind -x -a 'same-ip register' -d 'what moves a member to another port'
complete -c udp-relay -l control -r -F -d 'control socket'
complete -c udp-relay -l threads -x -d 'sockets and threads'
complete -c udp-relay -l offload -x -a 'yes no' -d 'UDP GRO and GSO'
complete -c udp-relay -l log -x -a 'text journal' -d 'where to log'
complete -c udp-relay -l config -r -F -d 'read settings from this file'
complete -c udp-relay -l version -d 'print the version'
complete -c udp-relay -s h -l help -d 'print the help'
