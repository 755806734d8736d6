//! Rules that users write, in the form of Spectral rulesets as `deck file lint` takes them: `given` names values
//! by JSONPath, `then` says what they must be. They run on the file as written, of whatever kind it is.

mod function;
mod jsonpath;
mod read;
mod run;

pub use read::{RulesetError, beside, read};
pub use run::check;

use function::Function;
use jsonpath::Query;

use source::Level;

/// Rules from one file and those it extends.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    overrides: Vec<Override>,
}

impl Ruleset {
    /// The codes of its rules: `ruleset/NAME`.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rules.iter().map(|rule| rule.code)
    }
}

/// The steps to a value: keys, and numbers as texts.
type Path = Vec<String>;

#[derive(Debug)]
struct Rule {
    name: String,
    /// `ruleset/NAME`.
    code: &'static str,
    /// `None` if the rule is off.
    level: Option<Level>,
    /// The level it has when it is switched on again.
    usual: Level,
    message: Option<String>,
    description: Option<String>,
    given: Vec<Query>,
    then: Vec<Then>,
}

#[derive(Debug)]
struct Then {
    field: Field,
    function: Function,
}

#[derive(Debug)]
enum Field {
    /// The value itself.
    Whole,
    /// Each of its keys.
    Keys,
    /// What is below it by names, which may be missing.
    Below(Vec<String>),
    /// What is found below it.
    Found(Query),
}

/// Other levels for some files, or for what is below a place in them.
#[derive(Debug)]
struct Override {
    /// Patterns of file names, each with a JSON pointer or an empty text.
    files: Vec<(regex::Regex, String)>,
    /// Levels by rule; none switches it off.
    levels: Vec<(String, Option<Level>)>,
}

#[cfg(test)]
mod tests;
