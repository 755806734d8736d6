//! What all commands that read a configuration take.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::{
    catalog,
    cli::{Status, console::Failure, usage},
    config::{self, Input, Loaded, Options},
    registry, router,
    runtime::{self, Snapshot},
    store::Stores,
};

/// The files, and how they are read.
#[derive(Clone, Debug, clap::Args)]
pub struct Files {
    /// Files or folders; several make one configuration, - is standard input [default: `files` of .gatewayctl.yml]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Name the settings file that is used, on standard error
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub dialect: Dialect,
}

/// Runs a command on each file separately, and returns the worst status. If files cannot be read, the error of the first
/// one is returned after all have been tried.
pub fn each(input: &Files, mut run: impl FnMut(Files) -> Result<Status, Failure>) -> Result<Status, Failure> {
    let mut worst = Ok(Status::Clean);
    for file in &input.files {
        let ran = run(Files { files: vec![file.clone()], verbose: false, dialect: input.dialect });
        if worst.is_ok() && !matches!(ran, Ok(Status::Clean)) {
            worst = ran;
        }
    }
    worst
}

/// How a configuration is read.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Dialect {
    /// Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})
    #[arg(long)]
    pub kong_strict: bool,
    /// Warn about settings that are not built yet, such as policy redis of rate-limiting, and do not refuse them
    #[arg(long)]
    pub allow_unsupported: bool,
    /// Which router the file is for; `expressions` lets routes have an expression and a priority
    /// [default: `router_flavor` of .gatewayctl.yml, else traditional_compatible]
    #[arg(long, value_name = "FLAVOR", env = "KONG_ROUTER_FLAVOR", hide_env_values = true)]
    router_flavor: Option<Flavor>,
}

impl Dialect {
    /// Which router the files are for.
    pub fn flavor(self) -> router::Flavor {
        self.router_flavor.unwrap_or_default().into()
    }

    /// The same with that router, where none was asked for.
    pub fn or_flavor(self, flavor: Option<router::Flavor>) -> Self {
        Dialect { router_flavor: self.router_flavor.or(flavor.map(Flavor::from)), ..self }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Flavor {
    #[default]
    TraditionalCompatible,
    Traditional,
    Expressions,
}

impl From<Flavor> for router::Flavor {
    fn from(flavor: Flavor) -> Self {
        match flavor {
            Flavor::TraditionalCompatible => router::Flavor::TraditionalCompatible,
            Flavor::Traditional => router::Flavor::Traditional,
            Flavor::Expressions => router::Flavor::Expressions,
        }
    }
}

impl From<router::Flavor> for Flavor {
    fn from(flavor: router::Flavor) -> Self {
        match flavor {
            router::Flavor::TraditionalCompatible => Flavor::TraditionalCompatible,
            router::Flavor::Traditional => Flavor::Traditional,
            router::Flavor::Expressions => Flavor::Expressions,
        }
    }
}

/// Reads the files.
pub fn load(args: &Files) -> Result<Loaded, Failure> {
    load_files(args.files.clone(), args.dialect)
}

/// Reads those files.
pub fn load_files(files: Vec<PathBuf>, dialect: Dialect) -> Result<Loaded, Failure> {
    snapshot(&Input::Paths(files), dialect).map(|(loaded, _)| loaded)
}

/// Loads and compiles an input. Returns no snapshot and no state if a finding is an error.
pub fn snapshot(input: &Input, dialect: Dialect) -> Result<(Loaded, Option<Snapshot>), Failure> {
    let (loaded, snapshot) = compiled(input, dialect, &Stores::default())?;
    Ok((loaded, snapshot.map(|(snapshot, _)| snapshot)))
}

/// The same with those stores, and the settings that it was compiled for.
pub fn compiled(
    input: &Input,
    dialect: Dialect,
    stores: &Stores,
) -> Result<(Loaded, Option<(Snapshot, runtime::Options)>), Failure> {
    let vault_env_prefix = environment("KONG_VAULT_ENV_PREFIX");
    let options = Options {
        kong_strict: dialect.kong_strict,
        flavor: dialect.flavor(),
        env: &environment,
        vault_env_prefix: vault_env_prefix.as_deref(),
        allow_unsupported: dialect.allow_unsupported,
        ..Options::new(catalog()?)
    };
    let mut loaded = config::load(input, &options)
        .map_err(|e| Failure::Other(format!("{e}{}", usage::similar(&e.path))))?;
    // Made as `serve` makes it, even where it is thrown away: what validates, serves.
    let node = runtime::Options {
        flavor: options.flavor,
        registry: registry().clone(),
        ..runtime::Options::default()
    };
    let snapshot = runtime::build(&mut loaded, &node, stores, None);
    if snapshot.is_none() {
        loaded.state = None;
    }
    Ok((loaded, snapshot.map(|snapshot| (snapshot, node))))
}

/// A variable of this process's environment.
#[allow(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All variables of this process's environment that are text.
#[cfg(feature = "serve")]
#[allow(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub fn whole_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
