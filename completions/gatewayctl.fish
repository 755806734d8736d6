# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gatewayctl_global_optspecs
    string join \n color= h/help V/version
end

function __fish_gatewayctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gatewayctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gatewayctl_using_subcommand
    set -l cmd (__fish_gatewayctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "validate" -d 'Check declarative files, offline'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "diff" -d 'Show what changes between two configurations'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "serve" -d 'Run a gateway on declarative files'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "simulate" -d 'Show what becomes of a request, without sending it'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "test" -d 'Run unit tests of a gateway configuration'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "version" -d 'Print the version, and the Kong that it follows'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "explain" -d 'Explain the code of a finding'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "plugins" -d 'List the plugins, or explain one'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "schema" -d 'Print the JSON Schema of the file format, or of one plugin\'s settings'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "lint" -d 'Give advice on declarative files'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "man" -d 'Print a manual page, in roff'
complete -c gatewayctl -n "__fish_gatewayctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l router-flavor -d 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]' -r -f -a "traditional_compatible\t''
traditional\t''
expressions\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l format -d 'How findings are printed, on standard output' -r -f -a "human\t'For people: excerpts of the file with the place underlined'
json\t'One JSON document'
sarif\t'SARIF 2.1.0, for code scanning services'
github\t'Annotations of GitHub Actions'
gitlab\t'GitLab\'s code quality report'
junit\t'A JUnit report'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -s v -l verbose -d 'Name the settings file that is used, on standard error'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l kong-strict -d 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l allow-unsupported -d 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l each -d 'Take each file for a configuration of its own, with a report of its own'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -l strict -d 'Let warnings fail the run too'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -s q -l quiet -d 'Say nothing when all is well'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l against -d 'Compare with the configuration of a running gateway: the address of its admin API' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l header -d 'Header sent to the admin API, such as `Kong-Admin-Token: …`; may be given several times. The variable KONG_ADMIN_TOKEN is sent as that header where neither it nor `Authorization` is given' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l ca-cert -d 'Authorities in PEM that the admin API\'s certificate is verified with, instead of the system\'s' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l client-cert -d 'Certificate in PEM shown to an admin API that asks for one' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l client-key -d 'Its key in PEM' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l router-flavor -d 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]' -r -f -a "traditional_compatible\t''
traditional\t''
expressions\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l format -d 'How changes are printed' -r -f -a "human\t'For people, with colours and a pager on a terminal'
json\t'One JSON document with decK\'s keys: changes, summary, warnings, errors'
markdown\t'For a comment on a pull request'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l log -d 'Route and rehearse the requests of an access log (nginx\'s and Kong\'s formats, or JSON lines of the log plugins) on both sides too, and list those whose outcome changes; implies --impact' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l log-host -d 'Host of logged requests that do not name theirs' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l tls-skip-verify -d 'Do not verify the admin API\'s certificate'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l kong-strict -d 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l allow-unsupported -d 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l whole -d 'Show whole entities, not only the fields that change'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l impact -d 'Show what the change does to traffic too'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l exit-code -d 'Exit with 1 where they differ'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -l non-zero-exit-code -d 'Exit with 2 where they differ, as decK does'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -s c -l conf -d 'A kong.conf to read settings from' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l proxy-listen -d 'Where requests are accepted, comma-separated: ADDR:PORT [ssl] [http2] [reuseport] ..., or off [default: 0.0.0.0:8000, 0.0.0.0:8443 http2 ssl]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l admin-listen -d 'Where the admin API is served, or off [default: 127.0.0.1:8001]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l stream-listen -d 'Where TCP, TLS and UDP routes are served [default: off]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l router-flavor -d 'traditional_compatible, traditional or expressions [default: traditional_compatible]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l route-match-calculation -d 'How the order of routes is computed: original (as Kong 3.9 does) or strict (as it is documented)' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l workers -d 'Worker threads [default: auto, one to a core]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l set -d 'Any other setting' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l mock-upstreams -d 'Answer for upstreams with a built-in echo: for those that do not resolve, or for all' -r -f -a "unresolved\t'Services whose host does not resolve, and upstreams without targets'
all\t'All services'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l drain -d 'How long requests in flight may take to end after a signal, in seconds' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l drain-delay -d 'How long connections are still accepted after a signal while /status/ready says 503 already, in seconds' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l check -d 'Check that a start with these settings and files would succeed, and end'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l kong-strict -d 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l allow-unsupported -d 'Run without settings that are not built yet, such as policy redis of rate-limiting, and warn at every start'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l watch -d 'Apply changes of the files as they happen; this is the default'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -l no-watch -d 'Load only at the start, on SIGHUP and on POST /config'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -s H -l header -d 'A header, `Name: value`; may be given more than once' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l client-ip -d 'The client\'s address' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l sni -d 'The server name that the client sends over TLS (SNI) [default: the URL\'s host]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l consumer -d 'The consumer that authentication identifies, by username, custom_id or id; authentication plugins are skipped then' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l router-flavor -d 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]' -r -f -a "traditional_compatible\t''
traditional\t''
expressions\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l format -d 'The format of the output' -r -f -a "human\t'For people'
json\t'One JSON document'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l kong-strict -d 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -l allow-unsupported -d 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -l filter -d 'Run only cases whose file or name contains this; may be given more than once' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -s j -l jobs -d 'Cases at a time [default: two to a core]' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -l format -d 'How results are printed, on standard output' -r -f -a "human\t'For people: what differs in cases that fail'
json\t'One JSON document'
junit\t'JUnit\'s XML, which CI systems read'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -l fail-fast -d 'Begin no case after one has failed'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -s v -l verbose -d 'Name the cases that pass too, and show the whole answer of those that fail'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -l list -d 'List the cases instead of running them'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand completions" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand completions" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand version" -l format -d 'How it is printed' -r -f -a "human\t'For people'
json\t'One JSON document'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand version" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand version" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand explain" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand explain" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand plugins" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand plugins" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand plugins" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand schema" -l plugin -d 'Only the settings of this plugin' -r -f -a "acl\t''
correlation-id\t''
cors\t''
ip-restriction\t''
jwt\t''
key-auth\t''
rate-limiting\t''
redirect\t''
request-size-limiting\t''
request-termination\t''
request-transformer\t''
response-transformer\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand schema" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand schema" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l router-flavor -d 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]' -r -f -a "traditional_compatible\t''
traditional\t''
expressions\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l rule -d 'Set the level of a lint: off, info, warn or error' -r
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l config -d 'Settings file [default: the nearest .gatewayctl.yml above the first FILE, else above this folder]' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l ruleset -d 'Check the rules of a Spectral ruleset too' -r -F
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s F -l fail-severity -d 'The least level that fails the run' -r -f -a "error\t''
warn\t''
info\t''
hint\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l format -d 'How findings are printed, on standard output' -r -f -a "human\t'For people: excerpts of the file with the place underlined'
json\t'One JSON document'
sarif\t'SARIF 2.1.0, for code scanning services'
github\t'Annotations of GitHub Actions'
gitlab\t'GitLab\'s code quality report'
junit\t'A JUnit report'"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l only -d 'Run no lints but these' -r -f -a "acl-group-without-members\t''
acl-without-authentication\t''
anonymous-consumer-missing\t''
anonymous-unrestricted\t''
auth-bypass\t''
authentication-for-consumer\t''
authentication-without-credentials\t''
ca-certificate-missing\t''
certificate-expired\t''
certificate-expires-soon\t''
certificate-unused\t''
consumer-plugin-without-authentication\t''
consumer-without-credential\t''
contradicting-timeouts\t''
cors-any-origin-with-credentials\t''
cors-without-options\t''
disabled-plugin\t''
disabled-service\t''
duplicate-item\t''
duplicate-plugin\t''
duplicate-route\t''
health-check-without-effect\t''
health-check-without-recovery\t''
host-with-port\t''
https-redirect-unused\t''
https-upstream-by-address\t''
https-without-redirect\t''
ip-restriction-allows-all\t''
jwt-private-key\t''
jwt-without-expiry\t''
key-in-query\t''
missing-name\t''
missing-tags\t''
options-without-authentication\t''
overlapping-regexes\t''
path-never-matches\t''
path-with-trailing-slash\t''
placeholder-secret\t''
plain-http-upstream\t''
plugin-never-fires\t''
plugin-overridden\t''
port-ignored\t''
port-of-other-protocol\t''
rate-limit-by-nobody\t''
rate-limit-looser-than-parent\t''
regex-defeats-index\t''
regex-path-without-end\t''
regex-without-tilde\t''
reused-secret\t''
route-match-calculation\t''
route-without-auth\t''
shadowed-route\t''
sni-not-in-certificate\t''
terminated\t''
timeout-in-seconds\t''
tls-verify-off\t''
unused-credential\t''
unused-service\t''
unused-upstream\t''
upstream-without-targets\t''
upstream-without-weight\t''
url-part-ignored\t''
value-cut-by-comment\t''
weak-secret\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l skip -d 'Do not run these lints' -r -f -a "acl-group-without-members\t''
acl-without-authentication\t''
anonymous-consumer-missing\t''
anonymous-unrestricted\t''
auth-bypass\t''
authentication-for-consumer\t''
authentication-without-credentials\t''
ca-certificate-missing\t''
certificate-expired\t''
certificate-expires-soon\t''
certificate-unused\t''
consumer-plugin-without-authentication\t''
consumer-without-credential\t''
contradicting-timeouts\t''
cors-any-origin-with-credentials\t''
cors-without-options\t''
disabled-plugin\t''
disabled-service\t''
duplicate-item\t''
duplicate-plugin\t''
duplicate-route\t''
health-check-without-effect\t''
health-check-without-recovery\t''
host-with-port\t''
https-redirect-unused\t''
https-upstream-by-address\t''
https-without-redirect\t''
ip-restriction-allows-all\t''
jwt-private-key\t''
jwt-without-expiry\t''
key-in-query\t''
missing-name\t''
missing-tags\t''
options-without-authentication\t''
overlapping-regexes\t''
path-never-matches\t''
path-with-trailing-slash\t''
placeholder-secret\t''
plain-http-upstream\t''
plugin-never-fires\t''
plugin-overridden\t''
port-ignored\t''
port-of-other-protocol\t''
rate-limit-by-nobody\t''
rate-limit-looser-than-parent\t''
regex-defeats-index\t''
regex-path-without-end\t''
regex-without-tilde\t''
reused-secret\t''
route-match-calculation\t''
route-without-auth\t''
shadowed-route\t''
sni-not-in-certificate\t''
terminated\t''
timeout-in-seconds\t''
tls-verify-off\t''
unused-credential\t''
unused-service\t''
unused-upstream\t''
upstream-without-targets\t''
upstream-without-weight\t''
url-part-ignored\t''
value-cut-by-comment\t''
weak-secret\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s v -l verbose -d 'Name the settings file that is used, on standard error'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l kong-strict -d 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l allow-unsupported -d 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l no-builtin -d 'Leave out built-in lints and the checks of `validate`; the file may be of any kind'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l each -d 'Take each file for a configuration of its own, with a report of its own'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l strict -d 'Let warnings fail the run too'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s D -l display-only-failures -d 'Show only what fails the run'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s q -l quiet -d 'Say nothing when all is well'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l fix -d 'Mend in the files what can be mended safely, then report what is left'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -l dry-run -l diff -d 'Show what --fix would change, as a diff, and change nothing'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand man" -l color -d 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is' -r -f -a "auto\t''
always\t''
never\t''"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand man" -s V -l version -d 'Print version'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "validate" -d 'Check declarative files, offline'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "diff" -d 'Show what changes between two configurations'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "serve" -d 'Run a gateway on declarative files'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "simulate" -d 'Show what becomes of a request, without sending it'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "test" -d 'Run unit tests of a gateway configuration'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "version" -d 'Print the version, and the Kong that it follows'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "explain" -d 'Explain the code of a finding'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "plugins" -d 'List the plugins, or explain one'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "schema" -d 'Print the JSON Schema of the file format, or of one plugin\'s settings'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "lint" -d 'Give advice on declarative files'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "man" -d 'Print a manual page, in roff'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand help; and not __fish_seen_subcommand_from validate diff serve simulate test completions version explain plugins schema lint man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand explain" -f -a "config/bad-expression config/bad-length config/bad-reference config/conflict config/deprecated-field config/duplicate config/ignored-parent config/invalid-entity config/invalid-value config/merge-conflict config/missing-field config/needs-one-of config/no-format-version config/not-a-map config/not-allowed config/old-format config/other-format config/out-of-range config/overridden-field config/unknown-field config/unknown-file-type config/unreadable config/unservable config/vault config/wrong-type deck/consumer-group deck/destination deck/enterprise deck/env deck/info deck/partial deck/plugin-config deck/template deck/unknown-consumer-group lint/acl-group-without-members lint/acl-without-authentication lint/anonymous-consumer-missing lint/anonymous-unrestricted lint/auth-bypass lint/authentication-for-consumer lint/authentication-without-credentials lint/ca-certificate-missing lint/certificate-expired lint/certificate-expires-soon lint/certificate-unused lint/consumer-plugin-without-authentication lint/consumer-without-credential lint/contradicting-timeouts lint/cors-any-origin-with-credentials lint/cors-without-options lint/disabled-plugin lint/disabled-service lint/duplicate-item lint/duplicate-plugin lint/duplicate-route lint/health-check-without-effect lint/health-check-without-recovery lint/host-with-port lint/https-redirect-unused lint/https-upstream-by-address lint/https-without-redirect lint/ip-restriction-allows-all lint/jwt-private-key lint/jwt-without-expiry lint/key-in-query lint/missing-name lint/missing-tags lint/options-without-authentication lint/overlapping-regexes lint/path-never-matches lint/path-with-trailing-slash lint/placeholder-secret lint/plain-http-upstream lint/plugin-never-fires lint/plugin-overridden lint/port-ignored lint/port-of-other-protocol lint/rate-limit-by-nobody lint/rate-limit-looser-than-parent lint/regex-defeats-index lint/regex-path-without-end lint/regex-without-tilde lint/reused-secret lint/route-match-calculation lint/route-without-auth lint/shadowed-route lint/sni-not-in-certificate lint/terminated lint/timeout-in-seconds lint/tls-verify-off lint/unused-credential lint/unused-service lint/unused-upstream lint/upstream-without-targets lint/upstream-without-weight lint/url-part-ignored lint/value-cut-by-comment lint/weak-secret plugin/always-fails plugin/enterprise plugin/invalid plugin/not-enabled plugin/not-yet plugin/redis-not-yet plugin/unknown plugin/unknown-name source/duplicate-key source/encoding source/json-syntax source/more-documents source/more-findings source/too-deep source/too-large source/unknown-tag source/yaml-in-json source/yaml-syntax test/case upstream/not-yet acl-group-without-members acl-without-authentication anonymous-consumer-missing anonymous-unrestricted auth-bypass authentication-for-consumer authentication-without-credentials ca-certificate-missing certificate-expired certificate-expires-soon certificate-unused consumer-plugin-without-authentication consumer-without-credential contradicting-timeouts cors-any-origin-with-credentials cors-without-options disabled-plugin disabled-service duplicate-item duplicate-plugin duplicate-route health-check-without-effect health-check-without-recovery host-with-port https-redirect-unused https-upstream-by-address https-without-redirect ip-restriction-allows-all jwt-private-key jwt-without-expiry key-in-query missing-name missing-tags options-without-authentication overlapping-regexes path-never-matches path-with-trailing-slash placeholder-secret plain-http-upstream plugin-never-fires plugin-overridden port-ignored port-of-other-protocol rate-limit-by-nobody rate-limit-looser-than-parent regex-defeats-index regex-path-without-end regex-without-tilde reused-secret route-match-calculation route-without-auth shadowed-route sni-not-in-certificate terminated timeout-in-seconds tls-verify-off unused-credential unused-service unused-upstream upstream-without-targets upstream-without-weight url-part-ignored value-cut-by-comment weak-secret"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand plugins" -f -a "acl correlation-id cors ip-restriction jwt key-auth rate-limiting redirect request-size-limiting request-termination request-transformer response-transformer"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand man" -f -a "validate lint diff serve simulate test explain plugins schema completions man version"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand validate" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand lint" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand diff" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand serve" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand simulate" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
complete -c gatewayctl -n "__fish_gatewayctl_using_subcommand test" -f -a "(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.ya?ml|\.json)(?:\t.*)?\$')"
