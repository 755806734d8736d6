
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'gatewayctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'gatewayctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'gatewayctl' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check declarative files, offline')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Give advice on declarative files')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what changes between two configurations')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a gateway on declarative files')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Show what becomes of a request, without sending it')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Run unit tests of a gateway configuration')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Tell the long story of a finding''s code')
            [CompletionResult]::new('plugins', 'plugins', [CompletionResultType]::ParameterValue, 'List the plugins, or explain one')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of the file format, or of one plugin''s settings')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page, in roff')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gatewayctl;validate' {
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How findings are printed, on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--kong-strict', '--kong-strict', [CompletionResultType]::ParameterName, 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})')
            [CompletionResult]::new('--allow-unsupported', '--allow-unsupported', [CompletionResultType]::ParameterName, 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them')
            [CompletionResult]::new('--each', '--each', [CompletionResultType]::ParameterName, 'Take each file for a configuration of its own, with a report of its own')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Let warnings fail the run too')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing when all is well')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing when all is well')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;lint' {
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Set the level of a lint: off, info, warn or error')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Run no lints but these')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Do not run these lints')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Settings file; .gatewayctl.yml in this folder if there is one')
            [CompletionResult]::new('--ruleset', '--ruleset', [CompletionResultType]::ParameterName, 'Check the rules of a Spectral ruleset too')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'The least level that fails the run')
            [CompletionResult]::new('--fail-severity', '--fail-severity', [CompletionResultType]::ParameterName, 'The least level that fails the run')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How findings are printed, on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--kong-strict', '--kong-strict', [CompletionResultType]::ParameterName, 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})')
            [CompletionResult]::new('--allow-unsupported', '--allow-unsupported', [CompletionResultType]::ParameterName, 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them')
            [CompletionResult]::new('--no-builtin', '--no-builtin', [CompletionResultType]::ParameterName, 'Leave out built-in lints and the checks of `validate`; the file may be of any kind')
            [CompletionResult]::new('--each', '--each', [CompletionResultType]::ParameterName, 'Take each file for a configuration of its own, with a report of its own')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Let warnings fail the run too')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Show only what fails the run')
            [CompletionResult]::new('--display-only-failures', '--display-only-failures', [CompletionResultType]::ParameterName, 'Show only what fails the run')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing when all is well')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing when all is well')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'Mend in the files what can be mended safely, then report what is left')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what --fix would change, as a diff, and change nothing')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show what --fix would change, as a diff, and change nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;diff' {
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'Compare with the configuration of a running gateway: the address of its admin API')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Header sent to the admin API, such as `Kong-Admin-Token: …`; may be given several times. The variable KONG_ADMIN_TOKEN is sent as that header where neither it nor `Authorization` is given')
            [CompletionResult]::new('--ca-cert', '--ca-cert', [CompletionResultType]::ParameterName, 'Authorities in PEM that the admin API''s certificate is verified with, instead of the system''s')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Certificate in PEM shown to an admin API that asks for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Its key in PEM')
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How changes are printed')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Route and rehearse the requests of an access log (nginx''s and Kong''s formats, or JSON lines of the log plugins) on both sides too, and list those whose outcome changes; implies --impact')
            [CompletionResult]::new('--log-host', '--log-host', [CompletionResultType]::ParameterName, 'Host of logged requests that do not name theirs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--tls-skip-verify', '--tls-skip-verify', [CompletionResultType]::ParameterName, 'Do not verify the admin API''s certificate')
            [CompletionResult]::new('--kong-strict', '--kong-strict', [CompletionResultType]::ParameterName, 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})')
            [CompletionResult]::new('--allow-unsupported', '--allow-unsupported', [CompletionResultType]::ParameterName, 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them')
            [CompletionResult]::new('--whole', '--whole', [CompletionResultType]::ParameterName, 'Show whole entities, not only the fields that change')
            [CompletionResult]::new('--impact', '--impact', [CompletionResultType]::ParameterName, 'Show what the change does to traffic too')
            [CompletionResult]::new('--exit-code', '--exit-code', [CompletionResultType]::ParameterName, 'Exit with 1 where they differ')
            [CompletionResult]::new('--non-zero-exit-code', '--non-zero-exit-code', [CompletionResultType]::ParameterName, 'Exit with 2 where they differ, as decK does')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;serve' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'A kong.conf to read settings from')
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'A kong.conf to read settings from')
            [CompletionResult]::new('--proxy-listen', '--proxy-listen', [CompletionResultType]::ParameterName, 'Where requests are accepted, comma-separated: ADDR:PORT [ssl] [http2] [reuseport] ..., or off [default: 0.0.0.0:8000, 0.0.0.0:8443 http2 ssl]')
            [CompletionResult]::new('--admin-listen', '--admin-listen', [CompletionResultType]::ParameterName, 'Where the admin API is served, or off [default: 127.0.0.1:8001]')
            [CompletionResult]::new('--stream-listen', '--stream-listen', [CompletionResultType]::ParameterName, 'Where TCP, TLS and UDP routes are served [default: off]')
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'traditional_compatible, traditional or expressions [default: traditional_compatible]')
            [CompletionResult]::new('--route-match-calculation', '--route-match-calculation', [CompletionResultType]::ParameterName, 'How the order of routes is computed: original (as Kong 3.9 does) or strict (as it is documented)')
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'Worker threads [default: auto, one to a core]')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Any other setting')
            [CompletionResult]::new('--mock-upstreams', '--mock-upstreams', [CompletionResultType]::ParameterName, 'Answer for upstreams with a built-in echo: for those that do not resolve, or for all')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'How long requests in flight may take to end after a signal, in seconds')
            [CompletionResult]::new('--drain-delay', '--drain-delay', [CompletionResultType]::ParameterName, 'How long connections are still accepted after a signal while /status/ready says 503 already, in seconds')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Check that a start with these settings and files would succeed, and end')
            [CompletionResult]::new('--kong-strict', '--kong-strict', [CompletionResultType]::ParameterName, 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})')
            [CompletionResult]::new('--allow-unsupported', '--allow-unsupported', [CompletionResultType]::ParameterName, 'Run without settings that are not built yet, such as policy redis of rate-limiting, and warn at every start')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Apply changes of the files as they happen; this is the default')
            [CompletionResult]::new('--no-watch', '--no-watch', [CompletionResultType]::ParameterName, 'Load only at the start, on SIGHUP and on POST /config')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;simulate' {
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'A header, `Name: value`; may be given more than once')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header, `Name: value`; may be given more than once')
            [CompletionResult]::new('--client-ip', '--client-ip', [CompletionResultType]::ParameterName, 'The client''s address')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'The server name asked for over TLS [default: the URL''s host]')
            [CompletionResult]::new('--consumer', '--consumer', [CompletionResultType]::ParameterName, 'The consumer that authentication finds, by username, custom_id or id; its plugins are passed over then')
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the answer is printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--kong-strict', '--kong-strict', [CompletionResultType]::ParameterName, 'Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})')
            [CompletionResult]::new('--allow-unsupported', '--allow-unsupported', [CompletionResultType]::ParameterName, 'Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;test' {
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Run only cases whose file or name contains this; may be given more than once')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Cases at a time [default: two to a core]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Cases at a time [default: two to a core]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are printed, on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Begin no case after one has failed')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Name the cases that pass too, and show the whole answer of those that fail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Name the cases that pass too, and show the whole answer of those that fail')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the cases instead of running them')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;explain' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;plugins' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;schema' {
            [CompletionResult]::new('--plugin', '--plugin', [CompletionResultType]::ParameterName, 'Only the settings of this plugin')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal unless NO_COLOR is set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;help' {
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check declarative files, offline')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Give advice on declarative files')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what changes between two configurations')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a gateway on declarative files')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Show what becomes of a request, without sending it')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Run unit tests of a gateway configuration')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Tell the long story of a finding''s code')
            [CompletionResult]::new('plugins', 'plugins', [CompletionResultType]::ParameterValue, 'List the plugins, or explain one')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of the file format, or of one plugin''s settings')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page, in roff')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gatewayctl;help;validate' {
            break
        }
        'gatewayctl;help;lint' {
            break
        }
        'gatewayctl;help;diff' {
            break
        }
        'gatewayctl;help;serve' {
            break
        }
        'gatewayctl;help;simulate' {
            break
        }
        'gatewayctl;help;test' {
            break
        }
        'gatewayctl;help;explain' {
            break
        }
        'gatewayctl;help;plugins' {
            break
        }
        'gatewayctl;help;schema' {
            break
        }
        'gatewayctl;help;completions' {
            break
        }
        'gatewayctl;help;man' {
            break
        }
        'gatewayctl;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
