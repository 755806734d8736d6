//! `{vault://…}` references and the environment vault.
