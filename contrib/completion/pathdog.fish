# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog(8).

function __pathdog_instances
    for file in /etc/pathdog/*.conf
        string match -q '*/pathdog.conf' -- $file; or path basename -E $file
    end
end

complete -c pathdog -f
complete -c pathdog -l config -r -F -d 'the configuration'
complete -c pathdog -l instance -x -a '(__pathdog_instances)' -d 'run as this instance'
complete -c pathdog -l log -x -a 'auto journal text json' -d 'where to log'
complete -c pathdog -l log-level -x -a 'error warning notice info debug' -d 'what to leave out'
complete -c pathdog -l observe -d 'decide and record, but send no requests'
complete -c pathdog -l record -r -F -d 'write all events to this file'
complete -c pathdog -l check -d 'print the effective configuration'
complete -c pathdog -l list-triggers -d 'print the triggers and their options'
complete -c pathdog -l json -d 'with --list-triggers: as JSON'
complete -c pathdog -l version -d 'print the version'
complete -c pathdog -s h -l help -d 'print the help'
