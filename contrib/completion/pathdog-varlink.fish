# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdog-varlink(8).

complete -c pathdog-varlink -f
complete -c pathdog-varlink -l socket -r -F -d 'pathdog\'s control socket'
complete -c pathdog-varlink -l listen -r -F -d 'make this socket and serve there'
complete -c pathdog-varlink -l idle -x -d 'end after so many seconds without a client'
complete -c pathdog-varlink -l interface -d 'print the definition of the interface'
complete -c pathdog-varlink -l version -d 'print the version'
complete -c pathdog-varlink -s h -l help -d 'print the help'
