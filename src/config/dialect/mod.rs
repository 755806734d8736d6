//! Extra keys of decK files: told apart and rewritten into the plain format.
