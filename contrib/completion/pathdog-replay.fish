# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog-replay(1).

complete -c pathdog-replay -F
complete -c pathdog-replay -l config -r -F -d 'use this configuration'
complete -c pathdog-replay -l plugins -x -a '(__fish_complete_directories)' -d 'load triggers from there'
complete -c pathdog-replay -l log -x -a 'text json' -d 'in which form'
complete -c pathdog-replay -l rtt -d 'the RTTs of the peers over time instead'
complete -c pathdog-replay -l version -d 'print the version'
complete -c pathdog-replay -s h -l help -d 'print the help'
