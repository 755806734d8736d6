//! Risks of a change of a plugin's configuration, as plugins state them for `diff --impact`.

use serde::Serialize;
use serde_json::Number;

/// How bad a risk may be, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    High,
    Medium,
}

/// A change of one plugin on a route: the configurations that run before and after it; `None` if the plugin does not
/// run.
#[derive(Debug)]
pub struct ConfigChange<'a, C: ?Sized> {
    /// Configuration before.
    pub old: Option<&'a C>,
    /// Configuration after.
    pub new: Option<&'a C>,
}

impl<C: ?Sized> Clone for ConfigChange<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized> Copy for ConfigChange<'_, C> {}

/// Risks that a plugin finds in a change of its configuration.
#[derive(Debug, Default)]
pub struct Risks(pub Vec<(Severity, String)>);

impl Risks {
    /// Adds the risk that a plugin which ran before does not run any more, or the reverse: `lost` and `gained` name
    /// the effect. Returns whether the plugin runs before and after.
    pub fn presence<C: ?Sized>(
        &mut self,
        plugin: &str,
        change: ConfigChange<'_, C>,
        lost: &str,
        gained: &str,
    ) -> bool {
        match (change.old, change.new) {
            (Some(_), None) => self.high(format!("{lost}: {plugin} is removed")),
            (None, Some(_)) => self.medium(format!("{gained}: {plugin} is added")),
            _ => {}
        }
        change.old.is_some() && change.new.is_some()
    }

    /// Adds a risk of severity high: protection is lost, or all requests are concerned.
    pub fn high(&mut self, text: impl Into<String>) {
        self.0.push((Severity::High, text.into()));
    }

    /// Adds a risk of severity medium.
    pub fn medium(&mut self, text: impl Into<String>) {
        self.0.push((Severity::Medium, text.into()));
    }

    /// Adds a risk for a limit that is removed, added, loosened or tightened. `limit` names it in the form
    /// `PLUGIN.FIELD`. `None` is no limit.
    pub fn limit(&mut self, limit: &str, old: Option<&Number>, new: Option<&Number>) {
        if old == new {
            return;
        }
        let text = |value: Option<&Number>| value.map_or("none".to_owned(), ToString::to_string);
        let value = |number: Option<&Number>| number.and_then(Number::as_f64).unwrap_or(f64::INFINITY);
        let change = if value(new) > value(old) { "loosened" } else { "tightened" };
        self.medium(format!("limit {change}: {limit} {} -> {}", text(old), text(new)));
    }

    /// Adds a risk for a limit of a plugin that did not run before, if there is such a limit.
    pub fn limit_added(&mut self, limit: &str, new: Option<&Number>) {
        if let Some(new) = new {
            self.medium(format!("limit added: {limit} {new}"));
        }
    }

    /// Adds risks for lists that allow and deny. An empty `allow` allows all that is not denied.
    pub fn access_lists(&mut self, plugin: &str, old: AccessLists<'_>, new: AccessLists<'_>) {
        match (old.allow.is_empty(), new.allow.is_empty()) {
            (false, true) => self.high(format!("access widened: {plugin} allows all that is not denied")),
            (true, false) => {
                self.medium(format!("access narrowed: {plugin} allows only {}", new.allow.join(", ")));
            }
            _ => {
                if let Some(more) = beyond(new.allow, old.allow) {
                    self.medium(format!("access widened: {plugin} allows {more} too"));
                }
                if let Some(fewer) = beyond(old.allow, new.allow) {
                    self.medium(format!("access narrowed: {plugin} does not allow {fewer} any more"));
                }
            }
        }
        if let Some(fewer) = beyond(old.deny, new.deny) {
            self.medium(format!("access widened: {plugin} does not deny {fewer} any more"));
        }
        if let Some(more) = beyond(new.deny, old.deny) {
            self.medium(format!("access narrowed: {plugin} denies {more}"));
        }
    }
}

/// The lists of a plugin that allows and denies.
#[derive(Clone, Copy, Debug)]
pub struct AccessLists<'a> {
    /// If not empty, all others are denied.
    pub allow: &'a [String],
    /// These are denied.
    pub deny: &'a [String],
}

/// Returns the items that a list has beyond another, separated by commas; `None` if there is none.
pub fn beyond<T: AsRef<str> + PartialEq>(list: &[T], other: &[T]) -> Option<String> {
    let more: Vec<&str> = list.iter().filter(|item| !other.contains(item)).map(AsRef::as_ref).collect();
    (!more.is_empty()).then(|| more.join(", "))
}
