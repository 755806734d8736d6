//! Files, folders and standard input, as text in a source map.
