# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog-alert(8).

function __pathdog_alert_instances
    for file in /etc/pathdog/*.conf
        string match -q '*/pathdog.conf' -- $file; or path basename -E $file
    end
end

complete -c pathdog-alert -f
complete -c pathdog-alert -s c -l config -r -F -d 'the configuration'
complete -c pathdog-alert -l instance -x -a '(__pathdog_alert_instances)' -d 'the program of this instance'
complete -c pathdog-alert -l check -d 'check the section, and end'
complete -c pathdog-alert -l test -d 'run the program once with an example'
complete -c pathdog-alert -n '__fish_seen_argument -l test' -a 'broken pathdog-down node-down node-silent peers-silent error uplink-silent uplink-down look stalled worse failed uplink-penalty uplink-slow dead warning move uplink-held uplink-released uplink-proven uplink-up peers-heard node-answers node-up pathdog-up ok'
complete -c pathdog-alert -l version -d 'print the version'
complete -c pathdog-alert -s h -l help -d 'print the help'
