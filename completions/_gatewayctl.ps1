
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
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check declarative files, offline')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what changes between two configurations')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a gateway on declarative files')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Show what becomes of a request, without sending it')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Run unit tests of a gateway configuration')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version, and the Kong that it follows')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the code of a finding')
            [CompletionResult]::new('plugins', 'plugins', [CompletionResultType]::ParameterValue, 'List the plugins, or explain one')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of the file format, or of one plugin''s settings')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Give advice on declarative files')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page, in roff')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gatewayctl;validate' {
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How findings are printed, on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Name the settings file that is used, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Name the settings file that is used, on standard error')
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
        'gatewayctl;diff' {
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'Compare with the configuration of a running gateway: the address of its admin API')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Header sent to the admin API, such as `Kong-Admin-Token: …`; may be given several times. The variable KONG_ADMIN_TOKEN is sent as that header where neither it nor `Authorization` is given')
            [CompletionResult]::new('--ca-cert', '--ca-cert', [CompletionResultType]::ParameterName, 'Authorities in PEM that the admin API''s certificate is verified with, instead of the system''s')
            [CompletionResult]::new('--client-cert', '--client-cert', [CompletionResultType]::ParameterName, 'Certificate in PEM shown to an admin API that asks for one')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Its key in PEM')
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How changes are printed')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Route and rehearse the requests of an access log (nginx''s and Kong''s formats, or JSON lines of the log plugins) on both sides too, and list those whose outcome changes; implies --impact')
            [CompletionResult]::new('--log-host', '--log-host', [CompletionResultType]::ParameterName, 'Host of logged requests that do not name theirs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
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
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
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
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'The server name that the client sends over TLS (SNI) [default: the URL''s host]')
            [CompletionResult]::new('--consumer', '--consumer', [CompletionResultType]::ParameterName, 'The consumer that authentication identifies, by username, custom_id or id; authentication plugins are skipped then')
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
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
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
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
        'gatewayctl;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;version' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How it is printed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;explain' {
            [CompletionResult]::new('config/bad-expression', 'config/bad-expression', [CompletionResultType]::ParameterValue, 'config/bad-expression')
            [CompletionResult]::new('config/bad-length', 'config/bad-length', [CompletionResultType]::ParameterValue, 'config/bad-length')
            [CompletionResult]::new('config/bad-reference', 'config/bad-reference', [CompletionResultType]::ParameterValue, 'config/bad-reference')
            [CompletionResult]::new('config/conflict', 'config/conflict', [CompletionResultType]::ParameterValue, 'config/conflict')
            [CompletionResult]::new('config/deprecated-field', 'config/deprecated-field', [CompletionResultType]::ParameterValue, 'config/deprecated-field')
            [CompletionResult]::new('config/duplicate', 'config/duplicate', [CompletionResultType]::ParameterValue, 'config/duplicate')
            [CompletionResult]::new('config/ignored-parent', 'config/ignored-parent', [CompletionResultType]::ParameterValue, 'config/ignored-parent')
            [CompletionResult]::new('config/invalid-entity', 'config/invalid-entity', [CompletionResultType]::ParameterValue, 'config/invalid-entity')
            [CompletionResult]::new('config/invalid-value', 'config/invalid-value', [CompletionResultType]::ParameterValue, 'config/invalid-value')
            [CompletionResult]::new('config/merge-conflict', 'config/merge-conflict', [CompletionResultType]::ParameterValue, 'config/merge-conflict')
            [CompletionResult]::new('config/missing-field', 'config/missing-field', [CompletionResultType]::ParameterValue, 'config/missing-field')
            [CompletionResult]::new('config/needs-one-of', 'config/needs-one-of', [CompletionResultType]::ParameterValue, 'config/needs-one-of')
            [CompletionResult]::new('config/no-format-version', 'config/no-format-version', [CompletionResultType]::ParameterValue, 'config/no-format-version')
            [CompletionResult]::new('config/not-a-map', 'config/not-a-map', [CompletionResultType]::ParameterValue, 'config/not-a-map')
            [CompletionResult]::new('config/not-allowed', 'config/not-allowed', [CompletionResultType]::ParameterValue, 'config/not-allowed')
            [CompletionResult]::new('config/old-format', 'config/old-format', [CompletionResultType]::ParameterValue, 'config/old-format')
            [CompletionResult]::new('config/other-format', 'config/other-format', [CompletionResultType]::ParameterValue, 'config/other-format')
            [CompletionResult]::new('config/out-of-range', 'config/out-of-range', [CompletionResultType]::ParameterValue, 'config/out-of-range')
            [CompletionResult]::new('config/overridden-field', 'config/overridden-field', [CompletionResultType]::ParameterValue, 'config/overridden-field')
            [CompletionResult]::new('config/unknown-field', 'config/unknown-field', [CompletionResultType]::ParameterValue, 'config/unknown-field')
            [CompletionResult]::new('config/unknown-file-type', 'config/unknown-file-type', [CompletionResultType]::ParameterValue, 'config/unknown-file-type')
            [CompletionResult]::new('config/unreadable', 'config/unreadable', [CompletionResultType]::ParameterValue, 'config/unreadable')
            [CompletionResult]::new('config/unservable', 'config/unservable', [CompletionResultType]::ParameterValue, 'config/unservable')
            [CompletionResult]::new('config/vault', 'config/vault', [CompletionResultType]::ParameterValue, 'config/vault')
            [CompletionResult]::new('config/wrong-type', 'config/wrong-type', [CompletionResultType]::ParameterValue, 'config/wrong-type')
            [CompletionResult]::new('deck/consumer-group', 'deck/consumer-group', [CompletionResultType]::ParameterValue, 'deck/consumer-group')
            [CompletionResult]::new('deck/destination', 'deck/destination', [CompletionResultType]::ParameterValue, 'deck/destination')
            [CompletionResult]::new('deck/enterprise', 'deck/enterprise', [CompletionResultType]::ParameterValue, 'deck/enterprise')
            [CompletionResult]::new('deck/env', 'deck/env', [CompletionResultType]::ParameterValue, 'deck/env')
            [CompletionResult]::new('deck/info', 'deck/info', [CompletionResultType]::ParameterValue, 'deck/info')
            [CompletionResult]::new('deck/partial', 'deck/partial', [CompletionResultType]::ParameterValue, 'deck/partial')
            [CompletionResult]::new('deck/plugin-config', 'deck/plugin-config', [CompletionResultType]::ParameterValue, 'deck/plugin-config')
            [CompletionResult]::new('deck/template', 'deck/template', [CompletionResultType]::ParameterValue, 'deck/template')
            [CompletionResult]::new('deck/unknown-consumer-group', 'deck/unknown-consumer-group', [CompletionResultType]::ParameterValue, 'deck/unknown-consumer-group')
            [CompletionResult]::new('lint/acl-group-without-members', 'lint/acl-group-without-members', [CompletionResultType]::ParameterValue, 'lint/acl-group-without-members')
            [CompletionResult]::new('lint/acl-without-authentication', 'lint/acl-without-authentication', [CompletionResultType]::ParameterValue, 'lint/acl-without-authentication')
            [CompletionResult]::new('lint/anonymous-consumer-missing', 'lint/anonymous-consumer-missing', [CompletionResultType]::ParameterValue, 'lint/anonymous-consumer-missing')
            [CompletionResult]::new('lint/anonymous-unrestricted', 'lint/anonymous-unrestricted', [CompletionResultType]::ParameterValue, 'lint/anonymous-unrestricted')
            [CompletionResult]::new('lint/auth-bypass', 'lint/auth-bypass', [CompletionResultType]::ParameterValue, 'lint/auth-bypass')
            [CompletionResult]::new('lint/authentication-for-consumer', 'lint/authentication-for-consumer', [CompletionResultType]::ParameterValue, 'lint/authentication-for-consumer')
            [CompletionResult]::new('lint/authentication-without-credentials', 'lint/authentication-without-credentials', [CompletionResultType]::ParameterValue, 'lint/authentication-without-credentials')
            [CompletionResult]::new('lint/ca-certificate-missing', 'lint/ca-certificate-missing', [CompletionResultType]::ParameterValue, 'lint/ca-certificate-missing')
            [CompletionResult]::new('lint/certificate-expired', 'lint/certificate-expired', [CompletionResultType]::ParameterValue, 'lint/certificate-expired')
            [CompletionResult]::new('lint/certificate-expires-soon', 'lint/certificate-expires-soon', [CompletionResultType]::ParameterValue, 'lint/certificate-expires-soon')
            [CompletionResult]::new('lint/certificate-unused', 'lint/certificate-unused', [CompletionResultType]::ParameterValue, 'lint/certificate-unused')
            [CompletionResult]::new('lint/consumer-plugin-without-authentication', 'lint/consumer-plugin-without-authentication', [CompletionResultType]::ParameterValue, 'lint/consumer-plugin-without-authentication')
            [CompletionResult]::new('lint/consumer-without-credential', 'lint/consumer-without-credential', [CompletionResultType]::ParameterValue, 'lint/consumer-without-credential')
            [CompletionResult]::new('lint/contradicting-timeouts', 'lint/contradicting-timeouts', [CompletionResultType]::ParameterValue, 'lint/contradicting-timeouts')
            [CompletionResult]::new('lint/cors-any-origin-with-credentials', 'lint/cors-any-origin-with-credentials', [CompletionResultType]::ParameterValue, 'lint/cors-any-origin-with-credentials')
            [CompletionResult]::new('lint/cors-without-options', 'lint/cors-without-options', [CompletionResultType]::ParameterValue, 'lint/cors-without-options')
            [CompletionResult]::new('lint/disabled-plugin', 'lint/disabled-plugin', [CompletionResultType]::ParameterValue, 'lint/disabled-plugin')
            [CompletionResult]::new('lint/disabled-service', 'lint/disabled-service', [CompletionResultType]::ParameterValue, 'lint/disabled-service')
            [CompletionResult]::new('lint/duplicate-item', 'lint/duplicate-item', [CompletionResultType]::ParameterValue, 'lint/duplicate-item')
            [CompletionResult]::new('lint/duplicate-plugin', 'lint/duplicate-plugin', [CompletionResultType]::ParameterValue, 'lint/duplicate-plugin')
            [CompletionResult]::new('lint/duplicate-route', 'lint/duplicate-route', [CompletionResultType]::ParameterValue, 'lint/duplicate-route')
            [CompletionResult]::new('lint/health-check-without-effect', 'lint/health-check-without-effect', [CompletionResultType]::ParameterValue, 'lint/health-check-without-effect')
            [CompletionResult]::new('lint/health-check-without-recovery', 'lint/health-check-without-recovery', [CompletionResultType]::ParameterValue, 'lint/health-check-without-recovery')
            [CompletionResult]::new('lint/host-with-port', 'lint/host-with-port', [CompletionResultType]::ParameterValue, 'lint/host-with-port')
            [CompletionResult]::new('lint/https-redirect-unused', 'lint/https-redirect-unused', [CompletionResultType]::ParameterValue, 'lint/https-redirect-unused')
            [CompletionResult]::new('lint/https-upstream-by-address', 'lint/https-upstream-by-address', [CompletionResultType]::ParameterValue, 'lint/https-upstream-by-address')
            [CompletionResult]::new('lint/https-without-redirect', 'lint/https-without-redirect', [CompletionResultType]::ParameterValue, 'lint/https-without-redirect')
            [CompletionResult]::new('lint/ip-restriction-allows-all', 'lint/ip-restriction-allows-all', [CompletionResultType]::ParameterValue, 'lint/ip-restriction-allows-all')
            [CompletionResult]::new('lint/jwt-private-key', 'lint/jwt-private-key', [CompletionResultType]::ParameterValue, 'lint/jwt-private-key')
            [CompletionResult]::new('lint/jwt-without-expiry', 'lint/jwt-without-expiry', [CompletionResultType]::ParameterValue, 'lint/jwt-without-expiry')
            [CompletionResult]::new('lint/key-in-query', 'lint/key-in-query', [CompletionResultType]::ParameterValue, 'lint/key-in-query')
            [CompletionResult]::new('lint/missing-name', 'lint/missing-name', [CompletionResultType]::ParameterValue, 'lint/missing-name')
            [CompletionResult]::new('lint/missing-tags', 'lint/missing-tags', [CompletionResultType]::ParameterValue, 'lint/missing-tags')
            [CompletionResult]::new('lint/options-without-authentication', 'lint/options-without-authentication', [CompletionResultType]::ParameterValue, 'lint/options-without-authentication')
            [CompletionResult]::new('lint/overlapping-regexes', 'lint/overlapping-regexes', [CompletionResultType]::ParameterValue, 'lint/overlapping-regexes')
            [CompletionResult]::new('lint/path-never-matches', 'lint/path-never-matches', [CompletionResultType]::ParameterValue, 'lint/path-never-matches')
            [CompletionResult]::new('lint/path-with-trailing-slash', 'lint/path-with-trailing-slash', [CompletionResultType]::ParameterValue, 'lint/path-with-trailing-slash')
            [CompletionResult]::new('lint/placeholder-secret', 'lint/placeholder-secret', [CompletionResultType]::ParameterValue, 'lint/placeholder-secret')
            [CompletionResult]::new('lint/plain-http-upstream', 'lint/plain-http-upstream', [CompletionResultType]::ParameterValue, 'lint/plain-http-upstream')
            [CompletionResult]::new('lint/plugin-never-fires', 'lint/plugin-never-fires', [CompletionResultType]::ParameterValue, 'lint/plugin-never-fires')
            [CompletionResult]::new('lint/plugin-overridden', 'lint/plugin-overridden', [CompletionResultType]::ParameterValue, 'lint/plugin-overridden')
            [CompletionResult]::new('lint/port-ignored', 'lint/port-ignored', [CompletionResultType]::ParameterValue, 'lint/port-ignored')
            [CompletionResult]::new('lint/port-of-other-protocol', 'lint/port-of-other-protocol', [CompletionResultType]::ParameterValue, 'lint/port-of-other-protocol')
            [CompletionResult]::new('lint/rate-limit-by-nobody', 'lint/rate-limit-by-nobody', [CompletionResultType]::ParameterValue, 'lint/rate-limit-by-nobody')
            [CompletionResult]::new('lint/rate-limit-looser-than-parent', 'lint/rate-limit-looser-than-parent', [CompletionResultType]::ParameterValue, 'lint/rate-limit-looser-than-parent')
            [CompletionResult]::new('lint/regex-defeats-index', 'lint/regex-defeats-index', [CompletionResultType]::ParameterValue, 'lint/regex-defeats-index')
            [CompletionResult]::new('lint/regex-path-without-end', 'lint/regex-path-without-end', [CompletionResultType]::ParameterValue, 'lint/regex-path-without-end')
            [CompletionResult]::new('lint/regex-without-tilde', 'lint/regex-without-tilde', [CompletionResultType]::ParameterValue, 'lint/regex-without-tilde')
            [CompletionResult]::new('lint/reused-secret', 'lint/reused-secret', [CompletionResultType]::ParameterValue, 'lint/reused-secret')
            [CompletionResult]::new('lint/route-match-calculation', 'lint/route-match-calculation', [CompletionResultType]::ParameterValue, 'lint/route-match-calculation')
            [CompletionResult]::new('lint/route-without-auth', 'lint/route-without-auth', [CompletionResultType]::ParameterValue, 'lint/route-without-auth')
            [CompletionResult]::new('lint/shadowed-route', 'lint/shadowed-route', [CompletionResultType]::ParameterValue, 'lint/shadowed-route')
            [CompletionResult]::new('lint/sni-not-in-certificate', 'lint/sni-not-in-certificate', [CompletionResultType]::ParameterValue, 'lint/sni-not-in-certificate')
            [CompletionResult]::new('lint/terminated', 'lint/terminated', [CompletionResultType]::ParameterValue, 'lint/terminated')
            [CompletionResult]::new('lint/timeout-in-seconds', 'lint/timeout-in-seconds', [CompletionResultType]::ParameterValue, 'lint/timeout-in-seconds')
            [CompletionResult]::new('lint/tls-verify-off', 'lint/tls-verify-off', [CompletionResultType]::ParameterValue, 'lint/tls-verify-off')
            [CompletionResult]::new('lint/unused-credential', 'lint/unused-credential', [CompletionResultType]::ParameterValue, 'lint/unused-credential')
            [CompletionResult]::new('lint/unused-service', 'lint/unused-service', [CompletionResultType]::ParameterValue, 'lint/unused-service')
            [CompletionResult]::new('lint/unused-upstream', 'lint/unused-upstream', [CompletionResultType]::ParameterValue, 'lint/unused-upstream')
            [CompletionResult]::new('lint/upstream-without-targets', 'lint/upstream-without-targets', [CompletionResultType]::ParameterValue, 'lint/upstream-without-targets')
            [CompletionResult]::new('lint/upstream-without-weight', 'lint/upstream-without-weight', [CompletionResultType]::ParameterValue, 'lint/upstream-without-weight')
            [CompletionResult]::new('lint/url-part-ignored', 'lint/url-part-ignored', [CompletionResultType]::ParameterValue, 'lint/url-part-ignored')
            [CompletionResult]::new('lint/value-cut-by-comment', 'lint/value-cut-by-comment', [CompletionResultType]::ParameterValue, 'lint/value-cut-by-comment')
            [CompletionResult]::new('lint/weak-secret', 'lint/weak-secret', [CompletionResultType]::ParameterValue, 'lint/weak-secret')
            [CompletionResult]::new('plugin/always-fails', 'plugin/always-fails', [CompletionResultType]::ParameterValue, 'plugin/always-fails')
            [CompletionResult]::new('plugin/enterprise', 'plugin/enterprise', [CompletionResultType]::ParameterValue, 'plugin/enterprise')
            [CompletionResult]::new('plugin/invalid', 'plugin/invalid', [CompletionResultType]::ParameterValue, 'plugin/invalid')
            [CompletionResult]::new('plugin/not-enabled', 'plugin/not-enabled', [CompletionResultType]::ParameterValue, 'plugin/not-enabled')
            [CompletionResult]::new('plugin/not-yet', 'plugin/not-yet', [CompletionResultType]::ParameterValue, 'plugin/not-yet')
            [CompletionResult]::new('plugin/redis-not-yet', 'plugin/redis-not-yet', [CompletionResultType]::ParameterValue, 'plugin/redis-not-yet')
            [CompletionResult]::new('plugin/unknown', 'plugin/unknown', [CompletionResultType]::ParameterValue, 'plugin/unknown')
            [CompletionResult]::new('plugin/unknown-name', 'plugin/unknown-name', [CompletionResultType]::ParameterValue, 'plugin/unknown-name')
            [CompletionResult]::new('source/duplicate-key', 'source/duplicate-key', [CompletionResultType]::ParameterValue, 'source/duplicate-key')
            [CompletionResult]::new('source/encoding', 'source/encoding', [CompletionResultType]::ParameterValue, 'source/encoding')
            [CompletionResult]::new('source/json-syntax', 'source/json-syntax', [CompletionResultType]::ParameterValue, 'source/json-syntax')
            [CompletionResult]::new('source/more-documents', 'source/more-documents', [CompletionResultType]::ParameterValue, 'source/more-documents')
            [CompletionResult]::new('source/more-findings', 'source/more-findings', [CompletionResultType]::ParameterValue, 'source/more-findings')
            [CompletionResult]::new('source/too-deep', 'source/too-deep', [CompletionResultType]::ParameterValue, 'source/too-deep')
            [CompletionResult]::new('source/too-large', 'source/too-large', [CompletionResultType]::ParameterValue, 'source/too-large')
            [CompletionResult]::new('source/unknown-tag', 'source/unknown-tag', [CompletionResultType]::ParameterValue, 'source/unknown-tag')
            [CompletionResult]::new('source/yaml-in-json', 'source/yaml-in-json', [CompletionResultType]::ParameterValue, 'source/yaml-in-json')
            [CompletionResult]::new('source/yaml-syntax', 'source/yaml-syntax', [CompletionResultType]::ParameterValue, 'source/yaml-syntax')
            [CompletionResult]::new('test/case', 'test/case', [CompletionResultType]::ParameterValue, 'test/case')
            [CompletionResult]::new('upstream/not-yet', 'upstream/not-yet', [CompletionResultType]::ParameterValue, 'upstream/not-yet')
            [CompletionResult]::new('acl-group-without-members', 'acl-group-without-members', [CompletionResultType]::ParameterValue, 'acl-group-without-members')
            [CompletionResult]::new('acl-without-authentication', 'acl-without-authentication', [CompletionResultType]::ParameterValue, 'acl-without-authentication')
            [CompletionResult]::new('anonymous-consumer-missing', 'anonymous-consumer-missing', [CompletionResultType]::ParameterValue, 'anonymous-consumer-missing')
            [CompletionResult]::new('anonymous-unrestricted', 'anonymous-unrestricted', [CompletionResultType]::ParameterValue, 'anonymous-unrestricted')
            [CompletionResult]::new('auth-bypass', 'auth-bypass', [CompletionResultType]::ParameterValue, 'auth-bypass')
            [CompletionResult]::new('authentication-for-consumer', 'authentication-for-consumer', [CompletionResultType]::ParameterValue, 'authentication-for-consumer')
            [CompletionResult]::new('authentication-without-credentials', 'authentication-without-credentials', [CompletionResultType]::ParameterValue, 'authentication-without-credentials')
            [CompletionResult]::new('ca-certificate-missing', 'ca-certificate-missing', [CompletionResultType]::ParameterValue, 'ca-certificate-missing')
            [CompletionResult]::new('certificate-expired', 'certificate-expired', [CompletionResultType]::ParameterValue, 'certificate-expired')
            [CompletionResult]::new('certificate-expires-soon', 'certificate-expires-soon', [CompletionResultType]::ParameterValue, 'certificate-expires-soon')
            [CompletionResult]::new('certificate-unused', 'certificate-unused', [CompletionResultType]::ParameterValue, 'certificate-unused')
            [CompletionResult]::new('consumer-plugin-without-authentication', 'consumer-plugin-without-authentication', [CompletionResultType]::ParameterValue, 'consumer-plugin-without-authentication')
            [CompletionResult]::new('consumer-without-credential', 'consumer-without-credential', [CompletionResultType]::ParameterValue, 'consumer-without-credential')
            [CompletionResult]::new('contradicting-timeouts', 'contradicting-timeouts', [CompletionResultType]::ParameterValue, 'contradicting-timeouts')
            [CompletionResult]::new('cors-any-origin-with-credentials', 'cors-any-origin-with-credentials', [CompletionResultType]::ParameterValue, 'cors-any-origin-with-credentials')
            [CompletionResult]::new('cors-without-options', 'cors-without-options', [CompletionResultType]::ParameterValue, 'cors-without-options')
            [CompletionResult]::new('disabled-plugin', 'disabled-plugin', [CompletionResultType]::ParameterValue, 'disabled-plugin')
            [CompletionResult]::new('disabled-service', 'disabled-service', [CompletionResultType]::ParameterValue, 'disabled-service')
            [CompletionResult]::new('duplicate-item', 'duplicate-item', [CompletionResultType]::ParameterValue, 'duplicate-item')
            [CompletionResult]::new('duplicate-plugin', 'duplicate-plugin', [CompletionResultType]::ParameterValue, 'duplicate-plugin')
            [CompletionResult]::new('duplicate-route', 'duplicate-route', [CompletionResultType]::ParameterValue, 'duplicate-route')
            [CompletionResult]::new('health-check-without-effect', 'health-check-without-effect', [CompletionResultType]::ParameterValue, 'health-check-without-effect')
            [CompletionResult]::new('health-check-without-recovery', 'health-check-without-recovery', [CompletionResultType]::ParameterValue, 'health-check-without-recovery')
            [CompletionResult]::new('host-with-port', 'host-with-port', [CompletionResultType]::ParameterValue, 'host-with-port')
            [CompletionResult]::new('https-redirect-unused', 'https-redirect-unused', [CompletionResultType]::ParameterValue, 'https-redirect-unused')
            [CompletionResult]::new('https-upstream-by-address', 'https-upstream-by-address', [CompletionResultType]::ParameterValue, 'https-upstream-by-address')
            [CompletionResult]::new('https-without-redirect', 'https-without-redirect', [CompletionResultType]::ParameterValue, 'https-without-redirect')
            [CompletionResult]::new('ip-restriction-allows-all', 'ip-restriction-allows-all', [CompletionResultType]::ParameterValue, 'ip-restriction-allows-all')
            [CompletionResult]::new('jwt-private-key', 'jwt-private-key', [CompletionResultType]::ParameterValue, 'jwt-private-key')
            [CompletionResult]::new('jwt-without-expiry', 'jwt-without-expiry', [CompletionResultType]::ParameterValue, 'jwt-without-expiry')
            [CompletionResult]::new('key-in-query', 'key-in-query', [CompletionResultType]::ParameterValue, 'key-in-query')
            [CompletionResult]::new('missing-name', 'missing-name', [CompletionResultType]::ParameterValue, 'missing-name')
            [CompletionResult]::new('missing-tags', 'missing-tags', [CompletionResultType]::ParameterValue, 'missing-tags')
            [CompletionResult]::new('options-without-authentication', 'options-without-authentication', [CompletionResultType]::ParameterValue, 'options-without-authentication')
            [CompletionResult]::new('overlapping-regexes', 'overlapping-regexes', [CompletionResultType]::ParameterValue, 'overlapping-regexes')
            [CompletionResult]::new('path-never-matches', 'path-never-matches', [CompletionResultType]::ParameterValue, 'path-never-matches')
            [CompletionResult]::new('path-with-trailing-slash', 'path-with-trailing-slash', [CompletionResultType]::ParameterValue, 'path-with-trailing-slash')
            [CompletionResult]::new('placeholder-secret', 'placeholder-secret', [CompletionResultType]::ParameterValue, 'placeholder-secret')
            [CompletionResult]::new('plain-http-upstream', 'plain-http-upstream', [CompletionResultType]::ParameterValue, 'plain-http-upstream')
            [CompletionResult]::new('plugin-never-fires', 'plugin-never-fires', [CompletionResultType]::ParameterValue, 'plugin-never-fires')
            [CompletionResult]::new('plugin-overridden', 'plugin-overridden', [CompletionResultType]::ParameterValue, 'plugin-overridden')
            [CompletionResult]::new('port-ignored', 'port-ignored', [CompletionResultType]::ParameterValue, 'port-ignored')
            [CompletionResult]::new('port-of-other-protocol', 'port-of-other-protocol', [CompletionResultType]::ParameterValue, 'port-of-other-protocol')
            [CompletionResult]::new('rate-limit-by-nobody', 'rate-limit-by-nobody', [CompletionResultType]::ParameterValue, 'rate-limit-by-nobody')
            [CompletionResult]::new('rate-limit-looser-than-parent', 'rate-limit-looser-than-parent', [CompletionResultType]::ParameterValue, 'rate-limit-looser-than-parent')
            [CompletionResult]::new('regex-defeats-index', 'regex-defeats-index', [CompletionResultType]::ParameterValue, 'regex-defeats-index')
            [CompletionResult]::new('regex-path-without-end', 'regex-path-without-end', [CompletionResultType]::ParameterValue, 'regex-path-without-end')
            [CompletionResult]::new('regex-without-tilde', 'regex-without-tilde', [CompletionResultType]::ParameterValue, 'regex-without-tilde')
            [CompletionResult]::new('reused-secret', 'reused-secret', [CompletionResultType]::ParameterValue, 'reused-secret')
            [CompletionResult]::new('route-match-calculation', 'route-match-calculation', [CompletionResultType]::ParameterValue, 'route-match-calculation')
            [CompletionResult]::new('route-without-auth', 'route-without-auth', [CompletionResultType]::ParameterValue, 'route-without-auth')
            [CompletionResult]::new('shadowed-route', 'shadowed-route', [CompletionResultType]::ParameterValue, 'shadowed-route')
            [CompletionResult]::new('sni-not-in-certificate', 'sni-not-in-certificate', [CompletionResultType]::ParameterValue, 'sni-not-in-certificate')
            [CompletionResult]::new('terminated', 'terminated', [CompletionResultType]::ParameterValue, 'terminated')
            [CompletionResult]::new('timeout-in-seconds', 'timeout-in-seconds', [CompletionResultType]::ParameterValue, 'timeout-in-seconds')
            [CompletionResult]::new('tls-verify-off', 'tls-verify-off', [CompletionResultType]::ParameterValue, 'tls-verify-off')
            [CompletionResult]::new('unused-credential', 'unused-credential', [CompletionResultType]::ParameterValue, 'unused-credential')
            [CompletionResult]::new('unused-service', 'unused-service', [CompletionResultType]::ParameterValue, 'unused-service')
            [CompletionResult]::new('unused-upstream', 'unused-upstream', [CompletionResultType]::ParameterValue, 'unused-upstream')
            [CompletionResult]::new('upstream-without-targets', 'upstream-without-targets', [CompletionResultType]::ParameterValue, 'upstream-without-targets')
            [CompletionResult]::new('upstream-without-weight', 'upstream-without-weight', [CompletionResultType]::ParameterValue, 'upstream-without-weight')
            [CompletionResult]::new('url-part-ignored', 'url-part-ignored', [CompletionResultType]::ParameterValue, 'url-part-ignored')
            [CompletionResult]::new('value-cut-by-comment', 'value-cut-by-comment', [CompletionResultType]::ParameterValue, 'value-cut-by-comment')
            [CompletionResult]::new('weak-secret', 'weak-secret', [CompletionResultType]::ParameterValue, 'weak-secret')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;plugins' {
            [CompletionResult]::new('acl', 'acl', [CompletionResultType]::ParameterValue, 'acl')
            [CompletionResult]::new('correlation-id', 'correlation-id', [CompletionResultType]::ParameterValue, 'correlation-id')
            [CompletionResult]::new('cors', 'cors', [CompletionResultType]::ParameterValue, 'cors')
            [CompletionResult]::new('ip-restriction', 'ip-restriction', [CompletionResultType]::ParameterValue, 'ip-restriction')
            [CompletionResult]::new('jwt', 'jwt', [CompletionResultType]::ParameterValue, 'jwt')
            [CompletionResult]::new('key-auth', 'key-auth', [CompletionResultType]::ParameterValue, 'key-auth')
            [CompletionResult]::new('rate-limiting', 'rate-limiting', [CompletionResultType]::ParameterValue, 'rate-limiting')
            [CompletionResult]::new('redirect', 'redirect', [CompletionResultType]::ParameterValue, 'redirect')
            [CompletionResult]::new('request-size-limiting', 'request-size-limiting', [CompletionResultType]::ParameterValue, 'request-size-limiting')
            [CompletionResult]::new('request-termination', 'request-termination', [CompletionResultType]::ParameterValue, 'request-termination')
            [CompletionResult]::new('request-transformer', 'request-transformer', [CompletionResultType]::ParameterValue, 'request-transformer')
            [CompletionResult]::new('response-transformer', 'response-transformer', [CompletionResultType]::ParameterValue, 'response-transformer')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;schema' {
            [CompletionResult]::new('--plugin', '--plugin', [CompletionResultType]::ParameterName, 'Only the settings of this plugin')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;lint' {
            [CompletionResult]::new('--router-flavor', '--router-flavor', [CompletionResultType]::ParameterName, 'Which router the file is for; `expressions` lets routes have an expression and a priority [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Set the level of a lint: off, info, warn or error')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Settings file [default: the nearest .gatewayctl.yml above the first FILE, else above this folder]')
            [CompletionResult]::new('--ruleset', '--ruleset', [CompletionResultType]::ParameterName, 'Check the rules of a Spectral ruleset too')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'The least level that fails the run')
            [CompletionResult]::new('--fail-severity', '--fail-severity', [CompletionResultType]::ParameterName, 'The least level that fails the run')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How findings are printed, on standard output')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Run no lints but these')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Do not run these lints')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Name the settings file that is used, on standard error')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Name the settings file that is used, on standard error')
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
        'gatewayctl;man' {
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'validate')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'lint')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'diff')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'serve')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'simulate')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'test')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'explain')
            [CompletionResult]::new('plugins', 'plugins', [CompletionResultType]::ParameterValue, 'plugins')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'schema')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'completions')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'man')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'version')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gatewayctl;help' {
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check declarative files, offline')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Show what changes between two configurations')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a gateway on declarative files')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Show what becomes of a request, without sending it')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Run unit tests of a gateway configuration')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version, and the Kong that it follows')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the code of a finding')
            [CompletionResult]::new('plugins', 'plugins', [CompletionResultType]::ParameterValue, 'List the plugins, or explain one')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of the file format, or of one plugin''s settings')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Give advice on declarative files')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page, in roff')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gatewayctl;help;validate' {
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
        'gatewayctl;help;completions' {
            break
        }
        'gatewayctl;help;version' {
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
        'gatewayctl;help;lint' {
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
