//! Lookups that span the tables of a configuration, and the rows for output.

use std::{ops::Deref, sync::Arc};

use ahash::AHashMap;

use super::{Consumer, Ix, KindInfo, Ref, Rows, State};

/// What a configuration has beside its tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookups {
    /// The same rows with unresolved vault references, if there are any. In the tables they are resolved.
    displayed: Option<Arc<State>>,
    custom_ids: AHashMap<Box<str>, Ix<Consumer>>,
    groups: AHashMap<Ix<Consumer>, Vec<Box<str>>>,
}

/// The rows of a configuration for output: with vault references instead of the secrets that they resolve to. Code that
/// prints rows takes this type, to which rows with secrets do not convert.
#[derive(Clone, Copy, Debug)]
pub struct DisplayState<'s>(&'s State);

impl<'s> DisplayState<'s> {
    /// The rows, with the lifetime of the configuration.
    pub fn rows(self) -> &'s State {
        self.0
    }
}

impl Deref for DisplayState<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.0
    }
}

impl State {
    /// Returns the rows for output.
    pub fn display(&self) -> DisplayState<'_> {
        DisplayState(self.lookups.displayed.as_deref().unwrap_or(self))
    }

    /// Sets the rows for output, if they differ from those to serve.
    pub fn set_displayed(&mut self, displayed: Arc<State>) {
        self.lookups.displayed = Some(displayed);
    }

    /// Returns the table of a kind by its key; `None` if there is no such kind.
    pub fn table(&self, kind: &str) -> Option<&dyn Rows> {
        let number = KindInfo::number(kind)?;
        Some(self.tables()[number])
    }

    /// Builds the lookups that span tables. Called after all rows were added.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.lookups.custom_ids =
            self.consumers.iter().filter_map(|(ix, c)| Some((c.custom_id.as_deref()?.into(), ix))).collect();
        self.lookups.groups.clear();
        for acl in self.acls.rows() {
            if let Some(consumer) = self.consumers.find(acl.consumer) {
                self.lookups.groups.entry(consumer).or_default().push(acl.group.as_str().into());
            }
        }
        self
    }

    /// Finds a consumer by its `custom_id`.
    pub fn consumer_by_custom_id(&self, custom_id: &str) -> Option<Ix<Consumer>> {
        self.lookups.custom_ids.get(custom_id).copied()
    }

    /// Finds a consumer by username or id, as settings such as `anonymous` refer to one.
    pub fn consumer(&self, name_or_id: &str) -> Option<Ix<Consumer>> {
        uuid::Uuid::parse_str(name_or_id)
            .ok()
            .and_then(|id| self.consumers.find(Ref::new(id)))
            .or_else(|| self.consumers.by_name(name_or_id))
    }

    /// Returns the groups of a consumer, in the order of the file.
    pub fn groups(&self, consumer: Ix<Consumer>) -> &[Box<str>] {
        self.lookups.groups.get(&consumer).map_or(&[], Vec::as_slice)
    }
}
