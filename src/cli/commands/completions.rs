//! `gatewayctl completions SHELL`.

use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use crate::cli::{
    Status,
    code_docs::{CodeDoc, code_docs},
    console::{Console, Failure},
};

/// Print a completion script for a shell
///
/// Commands, flags and their values, names of plugins, codes of findings and files of configurations are then completed with the Tab key. Begin a new shell afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl completions bash > ~/.local/share/bash-completion/completions/gatewayctl\n  \
    gatewayctl completions zsh > \"${fpath[1]}/_gatewayctl\"\n  \
    gatewayctl completions fish > ~/.config/fish/completions/gatewayctl.fish\n\n\
    Exit status: 0 printed, 2 there is no such shell.")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    console.out(&script(args.shell))?;
    Ok(Status::Clean)
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let (mut command, names) = (crate::cli::command(), names());
    for (subcommand, argument, values) in &names {
        let parser = PossibleValuesParser::new(values.iter().copied());
        let valued = |c: clap::Command| c.mut_arg(argument, |arg| arg.value_parser(parser));
        command = command.mut_subcommand(subcommand, valued);
    }
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command, "gatewayctl", &mut out);
    let script = String::from_utf8_lossy(&out).into_owned();
    match shell {
        Shell::Bash => {
            BASH.to_owned() + &script.replace("complete -F _gatewayctl ", "complete -F _gatewayctl_all ")
        }
        Shell::Zsh => zsh(&script),
        Shell::Fish => script + &fish(&names),
        Shell::PowerShell => with_names(
            script,
            &names,
            |command| format!("'gatewayctl;{command}' {{\n"),
            |name| {
                format!(
                    "            [CompletionResult]::new('{name}', '{name}', [CompletionResultType]::ParameterValue, '{name}')\n"
                )
            },
        ),
        Shell::Elvish => {
            let script = with_names(
                script,
                &names,
                |command| format!("&'gatewayctl;{command}'= {{\n"),
                |name| format!("            cand {name} '{name}'\n"),
            );
            FILES.iter().fold(script, |script, command| {
                let begin = format!("&'gatewayctl;{command}'= {{\n");
                script.replace(&begin, &format!("{begin}            edit:complete-filename $words[-1]\n"))
            })
        }
        _ => script,
    }
}

/// Commands that take files of configurations.
const FILES: [&str; 6] = ["validate", "lint", "diff", "serve", "simulate", "test"];

/// Names that arguments take: of which command, of which argument, and the names. Completion alone knows them: clap
/// would list all of them in an error, which proposes the nearest instead.
fn names() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let code_docs = code_docs();
    let lints: Vec<&str> = code_docs.iter().filter(|s| s.level.is_some()).map(CodeDoc::short).collect();
    let codes = code_docs.iter().map(|s| s.code).chain(lints.iter().copied()).collect();
    let plugins: Vec<&str> = crate::registry().descriptors().map(|entry| &*entry.name).collect();
    vec![
        ("explain", "code", codes),
        ("plugins", "name", plugins.clone()),
        ("schema", "plugin", plugins),
        ("lint", "only", lints.clone()),
        ("lint", "skip", lints),
        ("man", "command", crate::cli::COMMANDS.to_vec()),
    ]
}

/// Where a file is expected and no flag was begun: files of configurations and folders. The rest is clap's.
const BASH: &str = r#"_gatewayctl_all() {
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

"#;

/// Positional files are those of configurations.
fn zsh(script: &str) -> String {
    let line = |line: &str| {
        let positional = ["'*::", "'::", "':"].iter().any(|begin| line.starts_with(begin));
        match line.strip_suffix(":_files' \\") {
            Some(rest) if positional => format!("{rest}:_files -g \"*.(yml|yaml|json)\"' \\\n"),
            _ => format!("{line}\n"),
        }
    };
    script.lines().map(line).collect()
}

/// Names and files of arguments without a flag, which clap leaves out.
fn fish(names: &[(&str, &str, Vec<&str>)]) -> String {
    let when =
        |command: &str| format!("complete -c gatewayctl -n \"__fish_gatewayctl_using_subcommand {command}\"");
    let flags = ["plugin", "only", "skip"];
    let mut out = String::new();
    for (command, _, names) in names.iter().filter(|(_, argument, _)| !flags.contains(argument)) {
        out += &format!("{} -f -a \"{}\"\n", when(command), names.join(" "));
    }
    for command in FILES {
        out += &format!(
            "{} -f -a \"(__fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\\.ya?ml|\\.json)(?:\\t.*)?\\$')\"\n",
            when(command)
        );
    }
    out
}

/// A script with the names of arguments without a flag at the beginning of their commands.
fn with_names(
    script: String,
    names: &[(&str, &str, Vec<&str>)],
    begin: impl Fn(&str) -> String,
    line: impl Fn(&str) -> String,
) -> String {
    let positional = names.iter().filter(|(command, ..)| ["explain", "plugins", "man"].contains(command));
    positional.fold(script, |script, (command, _, names)| {
        let begin = begin(command);
        let lines: String = names.iter().map(|name| line(name)).collect();
        script.replace(&begin, &format!("{begin}{lines}"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn completion_knows_all_commands() {
        let command = crate::cli::command();
        let commands: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(crate::cli::COMMANDS, commands);
    }
}
