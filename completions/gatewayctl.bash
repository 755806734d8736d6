_gatewayctl_all() {
    _gatewayctl "$@"
    [[ $2 == -* || ${COMP_CWORD} -lt 2 || ${COMPREPLY[0]:--} != -* ]] && return 0
    local IFS=$'\n' word
    case "${COMP_WORDS[1]}" in
        validate|lint|diff|serve|simulate|test)
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -d -- "$2"; compgen -f -X '!*.yml' -- "$2"; compgen -f -X '!*.yaml' -- "$2"
                compgen -f -X '!*.json' -- "$2"))
            ;;
        *)
            local words=()
            for word in "${COMPREPLY[@]}"; do
                [[ ${word} == -* ]] || words+=("${word}")
            done
            COMPREPLY=("${words[@]}")
            ;;
    esac
}

_gatewayctl() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="gatewayctl"
                ;;
            gatewayctl,completions)
                cmd="gatewayctl__subcmd__completions"
                ;;
            gatewayctl,diff)
                cmd="gatewayctl__subcmd__diff"
                ;;
            gatewayctl,explain)
                cmd="gatewayctl__subcmd__explain"
                ;;
            gatewayctl,help)
                cmd="gatewayctl__subcmd__help"
                ;;
            gatewayctl,lint)
                cmd="gatewayctl__subcmd__lint"
                ;;
            gatewayctl,man)
                cmd="gatewayctl__subcmd__man"
                ;;
            gatewayctl,plugins)
                cmd="gatewayctl__subcmd__plugins"
                ;;
            gatewayctl,schema)
                cmd="gatewayctl__subcmd__schema"
                ;;
            gatewayctl,serve)
                cmd="gatewayctl__subcmd__serve"
                ;;
            gatewayctl,simulate)
                cmd="gatewayctl__subcmd__simulate"
                ;;
            gatewayctl,test)
                cmd="gatewayctl__subcmd__test"
                ;;
            gatewayctl,validate)
                cmd="gatewayctl__subcmd__validate"
                ;;
            gatewayctl,version)
                cmd="gatewayctl__subcmd__version"
                ;;
            gatewayctl__subcmd__help,completions)
                cmd="gatewayctl__subcmd__help__subcmd__completions"
                ;;
            gatewayctl__subcmd__help,diff)
                cmd="gatewayctl__subcmd__help__subcmd__diff"
                ;;
            gatewayctl__subcmd__help,explain)
                cmd="gatewayctl__subcmd__help__subcmd__explain"
                ;;
            gatewayctl__subcmd__help,help)
                cmd="gatewayctl__subcmd__help__subcmd__help"
                ;;
            gatewayctl__subcmd__help,lint)
                cmd="gatewayctl__subcmd__help__subcmd__lint"
                ;;
            gatewayctl__subcmd__help,man)
                cmd="gatewayctl__subcmd__help__subcmd__man"
                ;;
            gatewayctl__subcmd__help,plugins)
                cmd="gatewayctl__subcmd__help__subcmd__plugins"
                ;;
            gatewayctl__subcmd__help,schema)
                cmd="gatewayctl__subcmd__help__subcmd__schema"
                ;;
            gatewayctl__subcmd__help,serve)
                cmd="gatewayctl__subcmd__help__subcmd__serve"
                ;;
            gatewayctl__subcmd__help,simulate)
                cmd="gatewayctl__subcmd__help__subcmd__simulate"
                ;;
            gatewayctl__subcmd__help,test)
                cmd="gatewayctl__subcmd__help__subcmd__test"
                ;;
            gatewayctl__subcmd__help,validate)
                cmd="gatewayctl__subcmd__help__subcmd__validate"
                ;;
            gatewayctl__subcmd__help,version)
                cmd="gatewayctl__subcmd__help__subcmd__version"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        gatewayctl)
            opts="-h -V --color --help --version validate diff serve simulate test completions version explain plugins schema lint man help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__completions)
            opts="-h -V --color --help --version bash elvish fish powershell zsh"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__diff)
            opts="-h -V --against --header --ca-cert --client-cert --client-key --tls-skip-verify --kong-strict --allow-unsupported --router-flavor --format --whole --impact --log --log-host --exit-code --non-zero-exit-code --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --against)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --header)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca-cert)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --client-cert)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --client-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --router-flavor)
                    COMPREPLY=($(compgen -W "traditional_compatible traditional expressions" -- "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "human json markdown" -- "${cur}"))
                    return 0
                    ;;
                --log)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-host)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__explain)
            opts="-h -V --color --help --version config/bad-expression config/bad-length config/bad-reference config/conflict config/deprecated-field config/duplicate config/ignored-parent config/invalid-entity config/invalid-value config/merge-conflict config/missing-field config/needs-one-of config/no-format-version config/not-a-map config/not-allowed config/old-format config/other-format config/out-of-range config/overridden-field config/unknown-field config/unknown-file-type config/unreadable config/unservable config/vault config/wrong-type deck/consumer-group deck/destination deck/enterprise deck/env deck/info deck/partial deck/plugin-config deck/template deck/unknown-consumer-group lint/acl-group-without-members lint/acl-without-authentication lint/anonymous-consumer-missing lint/anonymous-unrestricted lint/auth-bypass lint/authentication-for-consumer lint/authentication-without-credentials lint/ca-certificate-missing lint/certificate-expired lint/certificate-expires-soon lint/certificate-unused lint/consumer-plugin-without-authentication lint/consumer-without-credential lint/contradicting-timeouts lint/cors-any-origin-with-credentials lint/cors-without-options lint/disabled-plugin lint/disabled-service lint/duplicate-item lint/duplicate-plugin lint/duplicate-route lint/health-check-without-effect lint/health-check-without-recovery lint/host-with-port lint/https-redirect-unused lint/https-upstream-by-address lint/https-without-redirect lint/ip-restriction-allows-all lint/jwt-private-key lint/jwt-without-expiry lint/key-in-query lint/missing-name lint/missing-tags lint/options-without-authentication lint/overlapping-regexes lint/path-never-matches lint/path-with-trailing-slash lint/placeholder-secret lint/plain-http-upstream lint/plugin-never-fires lint/plugin-overridden lint/port-ignored lint/port-of-other-protocol lint/rate-limit-by-nobody lint/rate-limit-looser-than-parent lint/regex-defeats-index lint/regex-path-without-end lint/regex-without-tilde lint/reused-secret lint/route-match-calculation lint/route-without-auth lint/shadowed-route lint/sni-not-in-certificate lint/terminated lint/timeout-in-seconds lint/tls-verify-off lint/unused-credential lint/unused-service lint/unused-upstream lint/upstream-without-targets lint/upstream-without-weight lint/url-part-ignored lint/value-cut-by-comment lint/weak-secret plugin/always-fails plugin/enterprise plugin/invalid plugin/not-enabled plugin/not-yet plugin/redis-not-yet plugin/unknown plugin/unknown-name source/duplicate-key source/encoding source/json-syntax source/more-documents source/more-findings source/too-deep source/too-large source/unknown-tag source/yaml-in-json source/yaml-syntax test/case upstream/not-yet acl-group-without-members acl-without-authentication anonymous-consumer-missing anonymous-unrestricted auth-bypass authentication-for-consumer authentication-without-credentials ca-certificate-missing certificate-expired certificate-expires-soon certificate-unused consumer-plugin-without-authentication consumer-without-credential contradicting-timeouts cors-any-origin-with-credentials cors-without-options disabled-plugin disabled-service duplicate-item duplicate-plugin duplicate-route health-check-without-effect health-check-without-recovery host-with-port https-redirect-unused https-upstream-by-address https-without-redirect ip-restriction-allows-all jwt-private-key jwt-without-expiry key-in-query missing-name missing-tags options-without-authentication overlapping-regexes path-never-matches path-with-trailing-slash placeholder-secret plain-http-upstream plugin-never-fires plugin-overridden port-ignored port-of-other-protocol rate-limit-by-nobody rate-limit-looser-than-parent regex-defeats-index regex-path-without-end regex-without-tilde reused-secret route-match-calculation route-without-auth shadowed-route sni-not-in-certificate terminated timeout-in-seconds tls-verify-off unused-credential unused-service unused-upstream upstream-without-targets upstream-without-weight url-part-ignored value-cut-by-comment weak-secret"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help)
            opts="validate diff serve simulate test completions version explain plugins schema lint man help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__completions)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__diff)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__explain)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__lint)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__man)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__plugins)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__schema)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__serve)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__simulate)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__validate)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__help__subcmd__version)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__lint)
            opts="-v -F -D -q -h -V --verbose --kong-strict --allow-unsupported --router-flavor --rule --config --ruleset --no-builtin --each --strict --fail-severity --display-only-failures --format --quiet --fix --diff --dry-run --only --skip --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --router-flavor)
                    COMPREPLY=($(compgen -W "traditional_compatible traditional expressions" -- "${cur}"))
                    return 0
                    ;;
                --rule)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ruleset)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --fail-severity)
                    COMPREPLY=($(compgen -W "error warn info hint" -- "${cur}"))
                    return 0
                    ;;
                -F)
                    COMPREPLY=($(compgen -W "error warn info hint" -- "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "human json sarif github gitlab junit" -- "${cur}"))
                    return 0
                    ;;
                --only)
                    COMPREPLY=($(compgen -W "acl-group-without-members acl-without-authentication anonymous-consumer-missing anonymous-unrestricted auth-bypass authentication-for-consumer authentication-without-credentials ca-certificate-missing certificate-expired certificate-expires-soon certificate-unused consumer-plugin-without-authentication consumer-without-credential contradicting-timeouts cors-any-origin-with-credentials cors-without-options disabled-plugin disabled-service duplicate-item duplicate-plugin duplicate-route health-check-without-effect health-check-without-recovery host-with-port https-redirect-unused https-upstream-by-address https-without-redirect ip-restriction-allows-all jwt-private-key jwt-without-expiry key-in-query missing-name missing-tags options-without-authentication overlapping-regexes path-never-matches path-with-trailing-slash placeholder-secret plain-http-upstream plugin-never-fires plugin-overridden port-ignored port-of-other-protocol rate-limit-by-nobody rate-limit-looser-than-parent regex-defeats-index regex-path-without-end regex-without-tilde reused-secret route-match-calculation route-without-auth shadowed-route sni-not-in-certificate terminated timeout-in-seconds tls-verify-off unused-credential unused-service unused-upstream upstream-without-targets upstream-without-weight url-part-ignored value-cut-by-comment weak-secret" -- "${cur}"))
                    return 0
                    ;;
                --skip)
                    COMPREPLY=($(compgen -W "acl-group-without-members acl-without-authentication anonymous-consumer-missing anonymous-unrestricted auth-bypass authentication-for-consumer authentication-without-credentials ca-certificate-missing certificate-expired certificate-expires-soon certificate-unused consumer-plugin-without-authentication consumer-without-credential contradicting-timeouts cors-any-origin-with-credentials cors-without-options disabled-plugin disabled-service duplicate-item duplicate-plugin duplicate-route health-check-without-effect health-check-without-recovery host-with-port https-redirect-unused https-upstream-by-address https-without-redirect ip-restriction-allows-all jwt-private-key jwt-without-expiry key-in-query missing-name missing-tags options-without-authentication overlapping-regexes path-never-matches path-with-trailing-slash placeholder-secret plain-http-upstream plugin-never-fires plugin-overridden port-ignored port-of-other-protocol rate-limit-by-nobody rate-limit-looser-than-parent regex-defeats-index regex-path-without-end regex-without-tilde reused-secret route-match-calculation route-without-auth shadowed-route sni-not-in-certificate terminated timeout-in-seconds tls-verify-off unused-credential unused-service unused-upstream upstream-without-targets upstream-without-weight url-part-ignored value-cut-by-comment weak-secret" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__man)
            opts="-h -V --color --help --version validate lint diff serve simulate test explain plugins schema completions man version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__plugins)
            opts="-h -V --color --help --version acl correlation-id cors ip-restriction jwt key-auth rate-limiting redirect request-size-limiting request-termination request-transformer response-transformer"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__schema)
            opts="-h -V --plugin --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --plugin)
                    COMPREPLY=($(compgen -W "acl correlation-id cors ip-restriction jwt key-auth rate-limiting redirect request-size-limiting request-termination request-transformer response-transformer" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__serve)
            opts="-c -h -V --check --kong-strict --allow-unsupported --watch --no-watch --conf --proxy-listen --admin-listen --stream-listen --router-flavor --route-match-calculation --workers --set --mock-upstreams --drain --drain-delay --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --conf)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --proxy-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --admin-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stream-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --router-flavor)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --route-match-calculation)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --workers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --set)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --mock-upstreams)
                    COMPREPLY=($(compgen -W "unresolved all" -- "${cur}"))
                    return 0
                    ;;
                --drain)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --drain-delay)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__simulate)
            opts="-H -h -V --header --client-ip --sni --consumer --kong-strict --allow-unsupported --router-flavor --format --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --header)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -H)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --client-ip)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sni)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --consumer)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --router-flavor)
                    COMPREPLY=($(compgen -W "traditional_compatible traditional expressions" -- "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "human json" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__test)
            opts="-j -v -h -V --filter --jobs --fail-fast --format --verbose --list --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --filter)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --jobs)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -j)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "human json junit" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__validate)
            opts="-v -q -h -V --verbose --kong-strict --allow-unsupported --router-flavor --each --strict --format --quiet --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --router-flavor)
                    COMPREPLY=($(compgen -W "traditional_compatible traditional expressions" -- "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "human json sarif github gitlab junit" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        gatewayctl__subcmd__version)
            opts="-h -V --format --color --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --format)
                    COMPREPLY=($(compgen -W "human json" -- "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _gatewayctl_all -o nosort -o bashdefault -o default gatewayctl
else
    complete -F _gatewayctl_all -o bashdefault -o default gatewayctl
fi
