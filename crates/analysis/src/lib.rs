//! What is said about configurations beside whether they are valid: advice, differences, their effect on requests, and
//! edits of files.

pub mod diff;
pub mod edit;
pub mod impact;
pub mod lint;

/// The format with the settings of all plugins.
#[cfg(test)]
fn catalog() -> &'static config::Catalog {
    static CATALOG: std::sync::LazyLock<&config::Catalog> =
        std::sync::LazyLock::new(|| config::Catalog::new(plugins::registry()).expect("the schemas compile"));
    *CATALOG
}
