# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog-alert(8).

complete -c pathdog-alert -f
complete -c pathdog-alert -s c -l config -r -F -d 'use this configuration'
complete -c pathdog-alert -l instance -x -d 'of one of several'
complete -c pathdog-alert -l check -d 'print the section'
complete -c pathdog-alert -l test -d 'run the program once'
complete -c pathdog-alert -n '__fish_contains_opt test' -a 'broken pathdog-down node-down node-silent peers-silent error uplink-silent uplink-down look stalled worse failed uplink-penalty uplink-slow dead warning move uplink-held uplink-released uplink-proven uplink-up peers-heard node-answers node-up pathdog-up ok'
complete -c pathdog-alert -l version -d 'print the version'
complete -c pathdog-alert -s h -l help -d 'print the help'
