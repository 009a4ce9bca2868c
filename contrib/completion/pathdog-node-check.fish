# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog-node-check(1).

function __pathdog_node_checks
    pathdog-node-check --list 2>/dev/null | string match -rg '^(\S+)'
end

complete -c pathdog-node-check -F
complete -c pathdog-node-check -l moves -d 'also migrate one connection'
complete -c pathdog-node-check -l reconnects -d 'also close one connection and have it dialed again'
complete -c pathdog-node-check -l only -x -a '(__pathdog_node_checks)' -d 'only these checks'
complete -c pathdog-node-check -l timeout -x -d 'seconds to wait for each answer'
complete -c pathdog-node-check -l json -d 'one JSON object'
complete -c pathdog-node-check -l trace -r -F -d 'write all lines to this file'
complete -c pathdog-node-check -l list -d 'print the checks'
complete -c pathdog-node-check -l version -d 'print the version'
complete -c pathdog-node-check -s h -l help -d 'print the help'
