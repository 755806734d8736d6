
use builtin;
use str;

set edit:completion:arg-completer[gatewayctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'gatewayctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'gatewayctl'= {
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand validate 'Check declarative files, offline'
            cand lint 'Give advice on declarative files'
            cand diff 'Show what changes between two configurations'
            cand serve 'Run a gateway on declarative files'
            cand simulate 'Show what becomes of a request, without sending it'
            cand test 'Run unit tests of a gateway configuration'
            cand explain 'Tell the long story of a finding''s code'
            cand plugins 'List the plugins, or explain one'
            cand schema 'Print the JSON Schema of the file format, or of one plugin''s settings'
            cand completions 'Print a completion script for a shell'
            cand man 'Print a manual page, in roff'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gatewayctl;validate'= {
            cand --router-flavor 'Which router the file is for; `expressions` lets routes have an expression and a priority'
            cand --format 'How findings are printed, on standard output'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --kong-strict 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
            cand --allow-unsupported 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
            cand --each 'Take each file for a configuration of its own, with a report of its own'
            cand --strict 'Let warnings fail the run too'
            cand -q 'Say nothing when all is well'
            cand --quiet 'Say nothing when all is well'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;lint'= {
            cand --router-flavor 'Which router the file is for; `expressions` lets routes have an expression and a priority'
            cand --rule 'Set the level of a lint: off, info, warn or error'
            cand --only 'Run no lints but these'
            cand --skip 'Do not run these lints'
            cand --config 'Settings file; .gatewayctl.yml in this folder if there is one'
            cand --ruleset 'Check the rules of a Spectral ruleset too'
            cand -F 'The least level that fails the run'
            cand --fail-severity 'The least level that fails the run'
            cand --format 'How findings are printed, on standard output'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --kong-strict 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
            cand --allow-unsupported 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
            cand --no-builtin 'Leave out built-in lints and the checks of `validate`; the file may be of any kind'
            cand --each 'Take each file for a configuration of its own, with a report of its own'
            cand --strict 'Let warnings fail the run too'
            cand -D 'Show only what fails the run'
            cand --display-only-failures 'Show only what fails the run'
            cand -q 'Say nothing when all is well'
            cand --quiet 'Say nothing when all is well'
            cand --fix 'Mend in the files what can be mended safely, then report what is left'
            cand --dry-run 'Show what --fix would change, as a diff, and change nothing'
            cand --diff 'Show what --fix would change, as a diff, and change nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;diff'= {
            cand --against 'Compare with the configuration of a running gateway: the address of its admin API'
            cand --header 'Header sent to the admin API, such as `Kong-Admin-Token: …`; may be given several times. The variable KONG_ADMIN_TOKEN is sent as that header where neither it nor `Authorization` is given'
            cand --ca-cert 'Authorities in PEM that the admin API''s certificate is verified with, instead of the system''s'
            cand --client-cert 'Certificate in PEM shown to an admin API that asks for one'
            cand --client-key 'Its key in PEM'
            cand --router-flavor 'Which router the file is for; `expressions` lets routes have an expression and a priority'
            cand --format 'How changes are printed'
            cand --log 'Route and rehearse the requests of an access log (nginx''s and Kong''s formats, or JSON lines of the log plugins) on both sides too, and list those whose outcome changes; implies --impact'
            cand --log-host 'Host of logged requests that do not name theirs'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --tls-skip-verify 'Do not verify the admin API''s certificate'
            cand --kong-strict 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
            cand --allow-unsupported 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
            cand --whole 'Show whole entities, not only the fields that change'
            cand --impact 'Show what the change does to traffic too'
            cand --exit-code 'Exit with 1 where they differ'
            cand --non-zero-exit-code 'Exit with 2 where they differ, as decK does'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;serve'= {
            cand -c 'A kong.conf to read settings from'
            cand --conf 'A kong.conf to read settings from'
            cand --proxy-listen 'Where requests are accepted, comma-separated: ADDR:PORT [ssl] [http2] [reuseport] ..., or off [default: 0.0.0.0:8000, 0.0.0.0:8443 http2 ssl]'
            cand --admin-listen 'Where the admin API is served, or off [default: 127.0.0.1:8001]'
            cand --stream-listen 'Where TCP, TLS and UDP routes are served [default: off]'
            cand --router-flavor 'traditional_compatible, traditional or expressions [default: traditional_compatible]'
            cand --route-match-calculation 'How the order of routes is computed: original (as Kong 3.9 does) or strict (as it is documented)'
            cand --workers 'Worker threads [default: auto, one to a core]'
            cand --set 'Any other setting'
            cand --mock-upstreams 'Answer for upstreams with a built-in echo: for those that do not resolve, or for all'
            cand --drain 'How long requests in flight may take to end after a signal, in seconds'
            cand --drain-delay 'How long connections are still accepted after a signal while /status/ready says 503 already, in seconds'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --check 'Check that a start with these settings and files would succeed, and end'
            cand --kong-strict 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
            cand --allow-unsupported 'Run without settings that are not built yet, such as policy redis of rate-limiting, and warn at every start'
            cand --watch 'Apply changes of the files as they happen; this is the default'
            cand --no-watch 'Load only at the start, on SIGHUP and on POST /config'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;simulate'= {
            cand -H 'A header, `Name: value`; may be given more than once'
            cand --header 'A header, `Name: value`; may be given more than once'
            cand --client-ip 'The client''s address'
            cand --sni 'The server name asked for over TLS [default: the URL''s host]'
            cand --consumer 'The consumer that authentication finds, by username, custom_id or id; its plugins are passed over then'
            cand --router-flavor 'Which router the file is for; `expressions` lets routes have an expression and a priority'
            cand --format 'How the answer is printed'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --kong-strict 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})'
            cand --allow-unsupported 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;test'= {
            cand --filter 'Run only cases whose file or name contains this; may be given more than once'
            cand -j 'Cases at a time [default: two to a core]'
            cand --jobs 'Cases at a time [default: two to a core]'
            cand --format 'How results are printed, on standard output'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand --fail-fast 'Begin no case after one has failed'
            cand -v 'Name the cases that pass too, and show the whole answer of those that fail'
            cand --verbose 'Name the cases that pass too, and show the whole answer of those that fail'
            cand --list 'List the cases instead of running them'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;explain'= {
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;plugins'= {
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;schema'= {
            cand --plugin 'Only the settings of this plugin'
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;completions'= {
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;man'= {
            cand --color 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gatewayctl;help'= {
            cand validate 'Check declarative files, offline'
            cand lint 'Give advice on declarative files'
            cand diff 'Show what changes between two configurations'
            cand serve 'Run a gateway on declarative files'
            cand simulate 'Show what becomes of a request, without sending it'
            cand test 'Run unit tests of a gateway configuration'
            cand explain 'Tell the long story of a finding''s code'
            cand plugins 'List the plugins, or explain one'
            cand schema 'Print the JSON Schema of the file format, or of one plugin''s settings'
            cand completions 'Print a completion script for a shell'
            cand man 'Print a manual page, in roff'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gatewayctl;help;validate'= {
        }
        &'gatewayctl;help;lint'= {
        }
        &'gatewayctl;help;diff'= {
        }
        &'gatewayctl;help;serve'= {
        }
        &'gatewayctl;help;simulate'= {
        }
        &'gatewayctl;help;test'= {
        }
        &'gatewayctl;help;explain'= {
        }
        &'gatewayctl;help;plugins'= {
        }
        &'gatewayctl;help;schema'= {
        }
        &'gatewayctl;help;completions'= {
        }
        &'gatewayctl;help;man'= {
        }
        &'gatewayctl;help;help'= {
        }
    ]
    $completions[$command]
}
